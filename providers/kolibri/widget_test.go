package kolibri

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/providertest"
)

// widgetVector is the contract's sample of a signed address.
type widgetVector struct {
	KeyVersion   string
	PublicKey    string `json:"publicKeyPem"`
	Signed       string `json:"signedText"`
	Signature    string `json:"signatureBase64"`
	PlusUnescape string `json:"rawQueryPlusUnescaped"`
	Escaped      string `json:"rawQueryEscaped"`
}

func readVector(t *testing.T) widgetVector {
	t.Helper()
	var v widgetVector
	if err := json.Unmarshal(providertest.Sample(t, "widget-signature-vector"), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

const widgetAgency = "5b0c9a2e-7d41-4c36-9f58-1e2a6c3d4b70"

// widgetConn is a line whose widgets are verified with these settings.
func widgetConn(t *testing.T, change func(*sparki.Settings), transport http.RoundTripper) providers.Widgets {
	t.Helper()
	s := liveSettings()
	s.Text[settingAgency] = widgetAgency
	if s.Secrets == nil {
		s.Secrets = map[string][]sparki.Secret{}
	}
	change(&s)
	c, err := New().Connect(s, transport)
	if err != nil {
		t.Fatal(err)
	}
	return c.(providers.Widgets)
}

// vectorTime is within the time of the sample.
var vectorTime = time.Unix(29540715*60-1, 0)

func good(t *testing.T, w providers.Widgets, query string, now time.Time) bool {
	t.Helper()
	got, err := w.Widget(t.Context(), query, now)
	if err != nil && (!errors.Is(err, providers.ErrUnverified) || got.Ref != nil) {
		t.Errorf("%s: %+v, %v", query, got, err)
	}
	return err == nil
}

func unreachable(t *testing.T) http.RoundTripper {
	return local(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("Kolibri was asked: %s", r.URL) }))
}

// The contract's vector, and whatever is wrong with it (reliability.md N2–N5, N7, N9, N10).
func TestWidgetVector(t *testing.T) {
	t.Parallel()
	v := readVector(t)
	w := widgetConn(t, func(s *sparki.Settings) {
		s.Text[settingWidgetPublic] = "1: " + v.PublicKey
		s.Secrets[settingWidgetKey] = []sparki.Secret{"app-key"}
	}, unreachable(t))
	for _, query := range []string{v.PlusUnescape, v.Escaped, strings.ReplaceAll(v.PlusUnescape, "+", " "), strings.ReplaceAll(v.PlusUnescape, "+", "%20")} {
		got, err := w.Widget(t.Context(), query, vectorTime)
		if err != nil || got.Ref == nil || *got.Ref != (sparki.Ref{Type: "object-assignment", ID: "3f6d2c81-9b0e-4a57-8c1d-6e2f7a4b5c90"}) {
			t.Errorf("%.40s…: %+v, %v", query, got, err)
		}
	}
	for name, now := range map[string]time.Time{"AtItsEnd": time.Unix(29540715*60, 0), "AfterIt": time.Unix(29540715*60+1, 0), "NextYear": vectorTime.AddDate(1, 0, 0)} {
		if good(t, w, v.Escaped, now) {
			t.Errorf("%s it is taken", name)
		}
	}
	replace := func(old, new string) string {
		if !strings.Contains(v.Escaped, old) {
			t.Fatalf("no %q to replace", old)
		}
		return strings.Replace(v.Escaped, old, new, 1)
	}
	at := strings.Index(v.Escaped, "signature=") + len("signature=")
	for name, query := range map[string]string{
		"Empty":               "",
		"NoSignature":         v.Signed,
		"EmptySignature":      v.Signed + "&signature=&keyVersion=1",
		"SignatureChanged":    v.Escaped[:at] + "U" + v.Escaped[at+1:],
		"SignatureCut":        replace("%3D%3D", ""),
		"SignatureURLSafe":    strings.NewReplacer("%2B", "-", "%2F", "_").Replace(v.Escaped),
		"SignatureTwice":      v.Escaped + "&signature=" + url.QueryEscape(v.Signature),
		"SignatureFirst":      "signature=" + url.QueryEscape(v.Signature) + "&" + v.Signed + "&keyVersion=1",
		"AnotherEntity":       replace("3f6d2c81", "3f6d2c82"),
		"AnotherType":         replace("ObjectAssignment", "ProjectAssignment"),
		"Longer":              replace("29540715", "29540716"),
		"LongerLater":         replace("29540715", "99999999"),
		"Employee":            replace("29540715", "29540715&employeeId=e0f1a2b3-14c5-4d6e-8f70-91a2b3c4d5e6"),
		"CaseOfAKey":          replace("entityId", "EntityId"),
		"CaseOfAValue":        replace("3f6d2c81-9b0e", "3F6D2C81-9B0E"),
		"EscapedAnew":         replace("-9b0e-", "%2D9b0e-"),
		"DoubledEntity":       "entityId=00000000-0000-0000-0000-000000000000&" + v.Escaped,
		"DoubledEntityBehind": v.Escaped + "&entityId=00000000-0000-0000-0000-000000000000",
		"KeyBehind":           v.Escaped + "&x=1",
		"KeyInFront":          "x=1&" + v.Escaped,
		"OtherOrder":          replace("entityId=3f6d2c81-9b0e-4a57-8c1d-6e2f7a4b5c90&realEstateAgencyId="+widgetAgency, "realEstateAgencyId="+widgetAgency+"&entityId=3f6d2c81-9b0e-4a57-8c1d-6e2f7a4b5c90"),
		"NoKeyVersion":        replace("&keyVersion=1", ""),
		"KeyVersion9":         replace("keyVersion=1", "keyVersion=9"),
		"KeyVersionEmpty":     replace("keyVersion=1", "keyVersion="),
		"KeyVersion01":        replace("keyVersion=1", "keyVersion=01"),
		"KeyVersionSQL":       replace("keyVersion=1", "keyVersion=1'--"),
		"BadEscape":           replace("keyVersion=1", "keyVersion=%zz"),
		"Semicolons":          strings.ReplaceAll(v.Escaped, "&", ";"),
		"QuestionMark":        "?" + v.Escaped,
		"Huge":                v.Escaped + strings.Repeat("=", 100_000),
	} {
		if good(t, w, query, vectorTime) {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// partner signs addresses as Kolibri would.
type partner struct{ keys map[string]*rsa.PrivateKey }

func newPartner(t *testing.T) *partner {
	t.Helper()
	p := &partner{map[string]*rsa.PrivateKey{}}
	for _, version := range []string{"1", "2"} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		p.keys[version] = key
	}
	return p
}

func (p *partner) pem(version string) string {
	der, _ := x509.MarshalPKIXPublicKey(&p.keys[version].PublicKey)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (p *partner) sign(t *testing.T, key, text string) string {
	t.Helper()
	digest := sha512.Sum512([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.keys[key], crypto.SHA512, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "&signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature)) + "&keyVersion="
}

const (
	widgetEntity   = "3f6d2c81-9b0e-4a57-8c1d-6e2f7a4b5c90"
	widgetEmployee = "e0f1a2b3-14c5-4d6e-8f70-91a2b3c4d5e6"
)

func widgetText(entity, agency, kind, until, employee string) string {
	text := "entityId=" + entity + "&realEstateAgencyId=" + agency + "&entityType=" + kind + "&validUntil=" + until
	if employee != "" {
		text += "&employeeId=" + employee
	}
	return text
}

// Rightly signed addresses are still judged by what they say (N3, N6, N7, N9, N10), with both ways of
// verifying alike (N12).
func TestWidgetBothWays(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	now := time.Date(2026, 11, 28, 12, 0, 30, 0, time.UTC)
	later := strconv.FormatInt(now.Unix()/60+5, 10)
	local := widgetConn(t, func(s *sparki.Settings) {
		s.Text[settingWidgetPublic] = "1: " + p.pem("1") + "\n2:\n" + p.pem("2")
	}, unreachable(t))
	remote := widgetConn(t, func(s *sparki.Settings) {
		s.Secrets[settingWidgetKey] = []sparki.Secret{"canary-app-key"}
	}, p.validator(t))
	for name, c := range map[string]struct {
		entity, agency, kind, until, employee string
		signedBy, version                     string
		good                                  bool
	}{
		"Object":           {widgetEntity, widgetAgency, "ObjectAssignment", later, "", "1", "1", true},
		"Employee":         {widgetEntity, widgetAgency, "ObjectAssignment", later, widgetEmployee, "1", "1", true},
		"Project":          {widgetEntity, widgetAgency, "ProjectAssignment", later, "", "1", "1", true},
		"ObjectType":       {widgetEntity, widgetAgency, "ObjectTypeAssignment", later, "", "1", "1", true},
		"Contact":          {widgetEntity, widgetAgency, "ContactPerson", later, "", "1", "1", true},
		"Dashboard":        {widgetEntity, widgetAgency, "Dashboard", later, "", "1", "1", true},
		"SecondKey":        {widgetEntity, widgetAgency, "ObjectAssignment", later, "", "2", "2", true},
		"ThisMinute":       {widgetEntity, widgetAgency, "ObjectAssignment", strconv.FormatInt(now.Unix()/60+1, 10), "", "1", "1", true},
		"AgencyInCapitals": {widgetEntity, strings.ToUpper(widgetAgency), "ObjectAssignment", later, "", "1", "1", true},
		"FirstAsSecond":    {widgetEntity, widgetAgency, "ObjectAssignment", later, "", "1", "2", false},
		"UnknownKey":       {widgetEntity, widgetAgency, "ObjectAssignment", later, "", "1", "3", false},
		"Expired":          {widgetEntity, widgetAgency, "ObjectAssignment", strconv.FormatInt(now.Unix()/60, 10), "", "1", "1", false},
		"InSeconds":        {widgetEntity, widgetAgency, "ObjectAssignment", "-1", "", "1", "1", false},
		"NoNumber":         {widgetEntity, widgetAgency, "ObjectAssignment", "soon", "", "1", "1", false},
		"Overflow":         {widgetEntity, widgetAgency, "ObjectAssignment", "99999999999999999999", "", "1", "1", false},
		"Plus":             {widgetEntity, widgetAgency, "ObjectAssignment", "+" + later, "", "1", "1", false},
		"OtherAgency":      {widgetEntity, widgetEntity, "ObjectAssignment", later, "", "1", "1", false},
		"NoAgency":         {widgetEntity, "", "ObjectAssignment", later, "", "1", "1", false},
		"UnknownType":      {widgetEntity, widgetAgency, "SpaceShip", later, "", "1", "1", false},
		"TypeInCapitals":   {widgetEntity, widgetAgency, "OBJECTASSIGNMENT", later, "", "1", "1", false},
		"NoGUID":           {"12", widgetAgency, "ObjectAssignment", later, "", "1", "1", false},
		"Script":           {"%3Cscript%3Ealert(1)%3C/script%3E", widgetAgency, "ObjectAssignment", later, "", "1", "1", false},
		"EmployeeNoGUID":   {widgetEntity, widgetAgency, "ObjectAssignment", later, "12", "1", "1", false},
	} {
		query := p.sign(t, c.signedBy, widgetText(c.entity, c.agency, c.kind, c.until, c.employee)) + c.version
		for way, w := range map[string]providers.Widgets{"with the public key": local, "by asking Kolibri": remote} {
			if got := good(t, w, query, now); got != c.good {
				t.Errorf("%s, %s: taken %t, want %t", name, way, got, c.good)
			}
		}
		at := strings.Index(query, "signature=") + len("signature=")
		wrong := query[:at] + map[bool]string{true: "B", false: "A"}[query[at] == 'A'] + query[at+1:]
		for way, w := range map[string]providers.Widgets{"with the public key": local, "by asking Kolibri": remote} {
			if good(t, w, wrong, now) {
				t.Errorf("%s, %s: a wrong signature is taken", name, way)
			}
		}
	}
	neither := widgetConn(t, func(*sparki.Settings) {}, unreachable(t))
	if good(t, neither, p.sign(t, "1", widgetText(widgetEntity, widgetAgency, "ObjectAssignment", later, ""))+"1", now) {
		t.Error("it is taken without any way to verify it")
	}
}

// validator is Kolibri's own check, which is told what the contract says and nothing else.
func (p *partner) validator(t *testing.T) http.RoundTripper {
	return local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/validateSignature" || r.Header.Get("Authorization") != "" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		var asked struct {
			Key         string
			PayloadData struct {
				EntityID, RealEstateAgencyID, EntityType, EmployeeID string
				ValidUntil                                           int64
			}
			Signature  string
			KeyVersion int
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &asked); err != nil || asked.Key != "canary-app-key" {
			t.Errorf("%s: %v", body, err)
		}
		signature, _ := base64.StdEncoding.DecodeString(asked.Signature)
		key := p.keys[strconv.Itoa(asked.KeyVersion)]
		valid := false
		for _, agency := range []string{asked.PayloadData.RealEstateAgencyID, strings.ToUpper(asked.PayloadData.RealEstateAgencyID)} {
			d := asked.PayloadData
			digest := sha512.Sum512([]byte(widgetText(d.EntityID, agency, d.EntityType, fmt.Sprint(d.ValidUntil), d.EmployeeID)))
			valid = valid || key != nil && rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA512, digest[:], signature) == nil
		}
		_ = json.NewEncoder(w).Encode(map[string]bool{"isValid": valid})
	}))
}

// Whatever Kolibri's check answers but 200 and isValid true, the page is refused (N8).
func TestWidgetValidatorFails(t *testing.T) {
	t.Parallel()
	query := widgetText(widgetEntity, widgetAgency, "ObjectAssignment", "29540715", "") + "&signature=QUJD&keyVersion=1"
	longer := strings.Replace(query, "29540715", "29540800", 1)
	withKey := func(s *sparki.Settings) { s.Secrets[settingWidgetKey] = []sparki.Secret{"canary-app-key"} }
	for name, c := range map[string]struct {
		status int
		body   string
		good   bool
	}{
		"Valid": {200, `{"isValid": true}`, true}, "Invalid": {200, `{"isValid": false}`, false}, "Text": {200, `{"isValid": "true"}`, false}, "Number": {200, `{"isValid": 1}`, false},
		"Null": {200, `{"isValid": null}`, false}, "Nothing": {200, `{}`, false}, "Array": {200, `[true]`, false}, "True": {200, `true`, false}, "HTML": {200, `<html>isValid</html>`, false},
		"Empty": {200, ``, false}, "Created": {201, `{"isValid": true}`, false}, "Accepted": {202, `{"isValid": true}`, false}, "Redirect": {302, `{"isValid": true}`, false},
		"BadRequest": {400, `{"isValid": true}`, false}, "Unauthorized": {401, `{"isValid": true}`, false}, "Failed": {500, `{"isValid": true}`, false}, "Away": {503, `{"isValid": true}`, false},
	} {
		if got := good(t, widgetConn(t, withKey, answering(c.status, c.body)), query, vectorTime); got != c.good {
			t.Errorf("%s: taken %t", name, got)
		}
	}

	t.Run("HangsAndIsLeftAlone", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			calls, back := 0, false
			w := widgetConn(t, withKey, local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls++; back {
					_, _ = io.WriteString(w, `{"isValid": true}`)
					return
				}
				<-r.Context().Done()
			})))
			for n := range 6 {
				start := time.Now()
				if good(t, w, query, vectorTime) || time.Since(start) > 3*time.Second {
					t.Errorf("request %d: answered after %v", n, time.Since(start))
				}
			}
			if calls != 3 {
				t.Errorf("it was asked %d times", calls)
			}
			back = true
			if good(t, w, query, vectorTime) {
				t.Error("it is asked while it is left alone")
			}
			if !good(t, w, longer, vectorTime.Add(validatorPause)) {
				t.Error("it is not asked again")
			}
		})
	})
}

func TestWidgetKeys(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	small := &pem.Block{Type: "PUBLIC KEY"}
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	if weak != nil {
		small.Bytes, _ = x509.MarshalPKIXPublicKey(&weak.PublicKey)
	}
	curve, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, _ := x509.MarshalPKIXPublicKey(&curve.PublicKey)
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&p.keys["1"].PublicKey)}))
	for name, c := range map[string]struct {
		text string
		keys []string // versions; nil: refused
	}{
		"Versions": {"3: " + p.pem("1") + "7:\n" + p.pem("2"), []string{"3", "7"}}, "WithoutVersions": {p.pem("1") + p.pem("2"), []string{"1", "2"}},
		"CountsOn": {"5 " + p.pem("1") + p.pem("2"), []string{"5", "6"}}, "PKCS1": {pkcs1, []string{"1"}}, "Windows": {strings.ReplaceAll("1: "+p.pem("1"), "\n", "\r\n"), []string{"1"}},
		"Twice": {"1: " + p.pem("1") + "1: " + p.pem("2"), nil}, "Words": {"one: " + p.pem("1"), nil}, "Text": {"the key", nil}, "Cut": {p.pem("1")[:100], nil},
		"Curve": {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil}, "Weak": {string(pem.EncodeToMemory(small)), nil}, "Rest": {p.pem("1") + "more", nil},
	} {
		keys, ok := widgetKeys(c.text)
		if ok != (c.keys != nil) || ok && len(keys) != len(c.keys) || (checkWidgetKeys(c.text) == nil) != ok {
			t.Errorf("%s: %d keys, %t", name, len(keys), ok)
		}
		for _, version := range c.keys {
			if keys[version] == nil {
				t.Errorf("%s: no key %s", name, version)
			}
		}
	}
}

func FuzzReadCallback(f *testing.F) {
	f.Add(widgetText(widgetEntity, widgetAgency, "ObjectAssignment", "29540715", widgetEmployee) + "&signature=QUJD&keyVersion=1")
	f.Add("entityId=&signature=&keyVersion=")
	f.Fuzz(func(t *testing.T, raw string) {
		c, ok := readCallback(raw)
		if !ok {
			return
		}
		if !strings.HasPrefix(raw, c.signed+"&signature=") || guid(c.entityID) == "" || guid(c.agencyID) == "" || c.validUntil < 0 || c.validUntil*60 < c.validUntil {
			t.Errorf("%q gives %+v", raw, c)
		}
	})
}
