package kolibri

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
)

// widgetFrames are the pages that may show ours (contract §9; that these are all is assumed).
var widgetFrames = []string{"https://kolibri24.com", "https://*.kolibri24.com"}

// widgetAccount is what a widget's address is verified with.
type widgetAccount struct {
	clientKey sparki.Secret // names the app to Kolibri; "" when there is none
	// public are Kolibri's own keys by their version. When there are any, nobody else is asked.
	public map[string]*rsa.PublicKey
	local  bool
	// validatorURL is where Kolibri verifies a signature for us.
	validatorURL string
}

// knownValidators belong to Kolibri's own API hosts (contract §1). Others, such as a mock, check for themselves.
var knownValidators = map[string]string{
	"api.kolibri24.com":         "https://authorization.kolibri24.com",
	"sandbox-api.kolibri24.com": "https://sandbox-authorization.kolibri24.com",
}

func widgetAccountFrom(s sparki.Settings, base string) widgetAccount {
	keys := strings.TrimSpace(s.Text[settingWidgetPublic])
	w := widgetAccount{clientKey: trimmed(s.Secret(settingWidgetKey)), local: keys != "", validatorURL: base}
	if known := knownValidators[hostOf(base)]; known != "" {
		w.validatorURL = known
	}
	w.public, _ = widgetKeys(keys) // what cannot be read was refused when it was saved, and verifies nothing
	return w
}

var keyVersion = regexp.MustCompile(`^[0-9]{1,9}$`)

// widgetKeys reads public keys in PEM, each with its version and a colon in front; a key without counts on
// from the one before, beginning at 1.
func widgetKeys(text string) (map[string]*rsa.PublicKey, bool) {
	keys := map[string]*rsa.PublicKey{}
	next := 1
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		at := strings.Index(text, "-----BEGIN ")
		if at < 0 {
			return nil, false
		}
		version := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text[:at]), ":"))
		if version == "" {
			version = strconv.Itoa(next)
		}
		block, rest := pem.Decode([]byte(text[at:]))
		if block == nil || !keyVersion.MatchString(version) || keys[version] != nil {
			return nil, false
		}
		key := publicKey(block)
		if key == nil || key.N.BitLen() < 2048 {
			return nil, false
		}
		keys[version] = key
		n, _ := strconv.Atoi(version) // nine digits
		next, text = n+1, string(rest)
	}
	return keys, true
}

func publicKey(block *pem.Block) *rsa.PublicKey {
	if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		return key
	}
	key, _ := x509.ParsePKIXPublicKey(block.Bytes)
	rsaKey, _ := key.(*rsa.PublicKey)
	return rsaKey
}

func checkWidgetKeys(text string) error {
	if _, ok := widgetKeys(text); !ok {
		return sparki.Errorf(sparki.Invalid, "give public RSA keys of at least 2048 bits in PEM, each with its version and a colon in front")
	}
	return nil
}

// callback is the signed address of a widget (contract §9).
type callback struct {
	signed     string // what the signature covers, as it was received
	entityID   string // lower case
	agencyID   string // lower case
	entityType string
	validUntil int64  // minutes since 1970
	employeeID string // "" without one
	signature  string // base64
	keyVersion string // digits
}

// widgetEntities are what a widget can be about (contract §9).
var widgetEntities = []string{"ContactPerson", "ContactCompany", "Task", "AgendaItem", "ObjectAssignment", "ProjectAssignment",
	"ObjectTypeAssignment", "SearchAssignment", "Invoice", "DynamicDocument", "Dashboard"}

const maxCallback = 4096 // bytes of a query

// readCallback reads a query: each key once, in the order in which Kolibri signs them. What is signed is
// never written anew.
func readCallback(raw string) (c callback, ok bool) {
	signed, rest, found := strings.Cut(raw, "&signature=")
	if !found || len(raw) > maxCallback {
		return c, false
	}
	values, ok := inOrder(signed, "entityId", "realEstateAgencyId", "entityType", "validUntil", "employeeId")
	if !ok || len(values) < 4 {
		return c, false
	}
	last, ok := inOrder("signature="+rest, "signature", "keyVersion")
	if !ok || len(last) != 2 {
		return c, false
	}
	c = callback{
		signed: signed, entityID: guid(values[0]), agencyID: guid(values[1]), entityType: values[2],
		signature: strings.ReplaceAll(last[0], " ", "+"), keyVersion: last[1],
	}
	minutes, err := strconv.ParseUint(values[3], 10, 40)
	c.validUntil = int64(minutes)
	if len(values) == 5 {
		if c.employeeID = guid(values[4]); c.employeeID == "" {
			return c, false
		}
	}
	return c, err == nil && c.entityID != "" && c.agencyID != "" && slices.Contains(widgetEntities, c.entityType) && keyVersion.MatchString(c.keyVersion)
}

// inOrder gives the decoded values of a query whose keys are the first of these, in this order.
func inOrder(query string, keys ...string) (values []string, ok bool) {
	for n, part := range strings.Split(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		if n >= len(keys) || key != keys[n] {
			return nil, false
		}
		decoded, err := url.PathUnescape(value) // leaves + as it is: base64 has it
		if err != nil {
			return nil, false
		}
		values = append(values, decoded)
	}
	return values, true
}

// Widget verifies a widget's address: everything that can be judged here first, then the signature.
func (c *conn) Widget(ctx context.Context, rawQuery string, now time.Time) (providers.Widget, error) {
	asked, ok := readCallback(rawQuery)
	if !ok || asked.agencyID != c.account.agencyID || now.Unix() >= asked.validUntil*60 || !c.isGenuine(ctx, asked, now) {
		return providers.Widget{}, providers.ErrUnverified
	}
	kind := findKind(func(k *assignmentKind) bool { return k.entity() == asked.entityType })
	if kind == nil {
		return providers.Widget{}, nil
	}
	return providers.Widget{Ref: &sparki.Ref{Type: kind.source, ID: asked.entityID}}, nil
}

func (c *conn) isGenuine(ctx context.Context, asked callback, now time.Time) bool {
	w := c.account.widget
	if w.local {
		signature, err := base64.StdEncoding.Strict().DecodeString(asked.signature)
		key := w.public[asked.keyVersion]
		digest := sha512.Sum512([]byte(asked.signed))
		return err == nil && key != nil && rsa.VerifyPKCS1v15(key, crypto.SHA512, digest[:], signature) == nil
	}
	return w.clientKey != "" && c.widgets.validate(ctx, w.clientKey, asked, now)
}

// Bounds of Kolibri's own check.
const (
	validateWithin  = 3 * time.Second
	validatorFaults = 3                // in a row, after which it is left alone for a while
	validatorPause  = 10 * time.Second // assumed
)

// validator lets Kolibri verify a signature (contract §9, way 1). It holds no credentials of the line.
type validator struct {
	client rest.Client

	mu     sync.Mutex
	faults int
	until  time.Time // it is left alone
}

func (v *validator) validate(ctx context.Context, key sparki.Secret, asked callback, now time.Time) bool {
	if v.resting(now) {
		return false
	}
	payload := map[string]any{
		"entityId": asked.entityID, "realEstateAgencyId": asked.agencyID, "entityType": asked.entityType, "validUntil": asked.validUntil,
	}
	if asked.employeeID != "" {
		payload["employeeId"] = asked.employeeID
	}
	body, _ := json.Marshal(map[string]any{ // texts and numbers
		"key": key.Reveal(), "payloadData": payload, "signature": asked.signature, "keyVersion": json.Number(asked.keyVersion),
	})
	ctx, cancel := context.WithTimeout(ctx, validateWithin)
	defer cancel()
	answer, err := v.client.Do(ctx, rest.Call{Method: http.MethodPost, Path: "/v1/validateSignature", Body: body})
	v.heard(err, now)
	return err == nil && gjson.GetBytes(answer, "isValid").Type == gjson.True
}

func (v *validator) resting(now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return now.Before(v.until)
}

// heard counts the faults of a validator that does not answer; a refusal is an answer.
func (v *validator) heard(err error, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if kind := sparki.KindOf(err); kind != sparki.Unavailable && kind != sparki.Internal { // Internal: the time was up
		v.faults = 0
		return
	}
	if v.faults++; v.faults >= validatorFaults {
		v.faults, v.until = 0, now.Add(validatorPause)
	}
}

// onlyOK takes any success but 200 for no answer (contract §9).
type onlyOK struct{ next http.RoundTripper }

func (t onlyOK) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err == nil && resp.StatusCode > 200 && resp.StatusCode < 300 {
		resp.StatusCode = http.StatusBadGateway
	}
	return resp, err
}
