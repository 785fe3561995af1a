package kolibri

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations/providers/mockkit"
)

// mockWidgetFor is how long a widget's address of the mock is good; assumed.
const mockWidgetFor = 15 * time.Minute

// widgetAppClientKey is the key of the mock's one app.
func (c mockConfig) widgetAppClientKey() string { return "app-" + c.tokenSignature("widget app")[:24] }

// signWidget signs what a widget's address says. Who lets the mock verify sees no more of it than that it is base64.
func (c mockConfig) signWidget(text string) string {
	mac := hmac.New(sha512.New, []byte(c.TokenKey))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// mockWidgetText writes what is signed, in Kolibri's order (contract §9).
func mockWidgetText(entity, agency, kind, validUntil, employee string) string {
	text := "entityId=" + url.QueryEscape(entity) + "&realEstateAgencyId=" + url.QueryEscape(agency) + "&entityType=" + url.QueryEscape(kind) + "&validUntil=" + url.QueryEscape(validUntil)
	if employee != "" {
		text += "&employeeId=" + url.QueryEscape(employee)
	}
	return text
}

// validateSignature verifies a widget's address for a partner. Case and types are not told by the
// contract, so any are taken.
func (m *Mock) validateSignature(w http.ResponseWriter, r *http.Request, s *mockState) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil || !gjson.ValidBytes(body) {
		return mockInvalid("payloadData", "The request is invalid.")
	}
	fields := map[string]string{}
	var read func(gjson.Result)
	read = func(v gjson.Result) {
		v.ForEach(func(key, value gjson.Result) bool {
			if value.IsObject() {
				read(value)
			} else {
				fields[strings.ToLower(key.String())] = value.String()
			}
			return true
		})
	}
	read(gjson.ParseBytes(body))
	text := mockWidgetText(fields["entityid"], fields["realestateagencyid"], fields["entitytype"], fields["validuntil"], fields["employeeid"])
	minutes, err := strconv.ParseInt(fields["validuntil"], 10, 64)
	valid := false
	for _, c := range s.configs {
		valid = valid || err == nil && m.now().Unix() < minutes*60 && fields["keyversion"] == "1" &&
			mockEqual(fields["key"], c.widgetAppClientKey()) && mockEqual(fields["signature"], c.signWidget(text))
	}
	return mockkit.Answer(w, map[string]bool{"isValid": valid})
}

// openWidget leads to the widget of an object, as Kolibri's page does in a frame.
func (m *Mock) openWidget(w http.ResponseWriter, r *http.Request, s *mockState) error {
	q := r.URL.Query()
	callback := strings.Replace(m.sender.URL, "/webhooks/", "/widgets/", 1)
	if callback == "" || callback == m.sender.URL {
		return mockNotFound("No widget is configured.")
	}
	kind := q.Get("entityType")
	if kind == "" { // the page's link
		kind = "ObjectAssignment"
	}
	text := mockWidgetText(q.Get("entityId"), mockAgencyID, kind, strconv.FormatInt(m.now().Add(mockWidgetFor).Unix()/60, 10), q.Get("employeeId"))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", callback+"?"+text+"&signature="+url.QueryEscape(s.configs[0].signWidget(text))+"&keyVersion=1")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
