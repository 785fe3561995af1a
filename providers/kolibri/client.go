package kolibri

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/providers/wire"
)

// conn is the line to one agency's Kolibri.
type conn struct {
	account account
	api     rest.Client
	tokens  tokens
	// category is the agenda category of viewings.
	category category
	widgets  validator
}

func newConn(a account, transport http.RoundTripper) *conn {
	return &conn{
		account: a,
		api: rest.Client{
			Name: "Kolibri", Base: a.baseURL, Transport: transport, Secrets: a.secrets, Explain: explain,
		},
		widgets: validator{client: rest.Client{
			Name: "Kolibri's widget check", Base: a.widget.validatorURL, Transport: onlyOK{transport}, Secrets: a.secrets, Explain: explain,
		}},
		tokens: tokens{
			fixed:  a.token,
			client: a.client,
			identity: rest.Client{
				Name: "Kolibri's identity server", Base: a.client.tokenURL, Transport: transport,
				Secrets: a.secrets, Explain: explainSignIn,
			},
		},
	}
}

// String keeps what the connection holds out of logs.
func (c *conn) String() string   { return "Kolibri agency " + c.account.agencyID }
func (c *conn) GoString() string { return c.String() }

// An operation is one call of the API and the permission it needs (contract §1, §3.1).
type operation struct {
	method     string
	resource   string // the path behind the agency, or behind /v3 where anyAgency
	anyAgency  bool
	permission string
}

var (
	searchAgencies = operation{http.MethodPost, "RealEstateAgencies/Search", true, "realestateagency.search"}
	searchListings = operation{http.MethodPost, "Assignments/Search", false, "assignment.search"}
)

// results are the answer of a search.
type results struct {
	rows  gjson.Result // an array
	total float64      // of all pages; negative when it is not told
}

// resultsFrom reads a search answer in one pass: a page of the list has 300 kB.
func resultsFrom(answer gjson.Result) results {
	found := results{total: -1}
	wire.Each(answer, func(key string, v gjson.Result) {
		switch key {
		case "results":
			found.rows = v
		case "totalResults":
			if total, known := wire.Number(v); known {
				found.total = total
			}
		}
	})
	return found
}

// search makes a search call.
func (c *conn) search(ctx context.Context, op operation, request any) (results, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return results{}, fmt.Errorf("write request of %s: %w", op.resource, err)
	}
	answer, err := c.call(ctx, op, nil, body)
	if sparki.KindOf(err) == sparki.NotFound {
		// A search has nothing that could be missing (contract §7): this is no place of the API.
		return results{}, wrongAddress(err)
	}
	if err != nil {
		return results{}, err
	}
	found := resultsFrom(gjson.ParseBytes(answer))
	if !found.rows.IsArray() {
		return results{}, sparki.Errorf(sparki.Unavailable, "Kolibri sent a list without results; if this goes on, the API base URL is wrong")
	}
	return found, nil
}

// call makes one call, and once more with a new token when the first one is refused (contract §1).
func (c *conn) call(ctx context.Context, op operation, query url.Values, body []byte) ([]byte, error) {
	refused := sparki.Secret("")
	for {
		token, err := c.tokens.get(ctx, refused)
		if err != nil {
			return nil, sparki.Undone(err)
		}
		answer, err := c.try(ctx, op, token, query, body)
		if err == nil || rest.StatusOf(err) != http.StatusUnauthorized {
			return answer, c.explained(op, err)
		}
		if refused != "" || c.tokens.fixed != "" {
			return nil, c.tokens.stale(err)
		}
		refused = token
	}
}

func (c *conn) try(ctx context.Context, op operation, token sparki.Secret, query url.Values, body []byte) ([]byte, error) {
	path := "/" + op.resource
	if !op.anyAgency {
		path = "/" + c.account.agencyID + path
	}
	return c.api.Do(ctx, rest.Call{
		Method: op.method, Path: path, Query: query, Body: body, Changes: op.changes(),
		Header: http.Header{"Authorization": {"Bearer " + token.Reveal()}},
	})
}

// explain reads both shapes of a refusal: ErrorResponse has an errorCode, HttpError has not
// (contract §7). Either may come with any status.
func explain(status int, body []byte) rest.Refusal {
	if !rest.ValidJSON(body) {
		if (status == http.StatusNotFound || status == http.StatusGone) && len(body) > 0 {
			return rest.Refusal{Kind: sparki.Misconfigured} // a page of some web server
		}
		return rest.Refusal{}
	}
	said := gjson.ParseBytes(body)
	r := rest.Refusal{Code: wire.Text(said.Get("errorCode")), Words: wire.Text(said.Get("message"))}
	said.Get("brokenBusinessRules").ForEach(func(_, rule gjson.Result) bool {
		r.Words += " " + wire.Text(rule)
		return len(r.Words) < 4096
	})
	switch {
	case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusUnauthorized:
		// Nothing overrules these.
	case r.Code == "NotFound":
		r.Kind = sparki.NotFound
	case r.Code == "UserUnknown":
		r.Kind = sparki.Unauthorized
	case r.Code == "UnauthorizedDataAccess":
		r.Kind = sparki.Rejected // about this object only, assumed
	case r.Code == "NoConsent", r.Code == "NoPermission", status == http.StatusForbidden:
		r.Kind = sparki.Misconfigured
	case status == http.StatusNotFound && strings.HasPrefix(r.Words, "No HTTP resource was found"):
		// ASP.NET's words for a path that leads nowhere; a missing object is "… not found."
		r.Kind = sparki.Misconfigured
	}
	return r
}

// explained puts the refusals that a person can mend into words.
func (c *conn) explained(op operation, err error) error {
	if sparki.KindOf(err) != sparki.Misconfigured {
		return err
	}
	var text string
	switch status, code := rest.StatusOf(err), rest.CodeOf(err); {
	case code == "NoConsent":
		text = c.noConsent()
	case code == "NoPermission", op.anyAgency && status == http.StatusForbidden:
		text = fmt.Sprintf("Kolibri does not give this client the permission %s; ask the office's Kolibri administrator to grant it", op.permission)
	case status == http.StatusForbidden:
		text = fmt.Sprintf("Kolibri refuses access to agency %s; ask the office's Kolibri administrator for consent and for the permission %s",
			c.account.agencyID, op.permission)
	case status == http.StatusNotFound, status == http.StatusGone:
		return wrongAddress(err)
	default:
		return err
	}
	return &sparki.Error{Kind: sparki.Misconfigured, Text: text, Err: err}
}

func (c *conn) noConsent() string {
	return fmt.Sprintf("agency %s has not given consent to this client; ask the office's Kolibri administrator to give it, and check the real estate agency ID",
		c.account.agencyID)
}

func wrongAddress(err error) error {
	return &sparki.Error{Kind: sparki.Misconfigured, Text: "there is no Kolibri API at the API base URL; check it", Err: err}
}

// tokens are a connection's access tokens (contract §1): fetched when needed, kept until shortly
// before they expire, one fetch for all who wait.
type tokens struct {
	fixed    sparki.Secret // "" where the client signs in
	client   clientCredentials
	identity rest.Client

	mu     sync.Mutex
	token  sparki.Secret
	until  time.Time
	flight *flight // nil while no fetch is under way
}

// flight is one fetch of a token. Its result is set before done is closed.
type flight struct {
	waiting int // under tokens.mu; the fetch ends with the last one
	cancel  context.CancelFunc
	done    chan struct{}
	token   sparki.Secret
	err     error
}

const (
	// renewEarly is how long before its end a token is replaced, and defaultLifetime how long one
	// lasts that does not say (contract §1).
	renewEarly      = 30 * time.Second
	defaultLifetime = time.Hour
	maxLifetime     = 24 * time.Hour // assumed: nobody is trusted with more
)

// get gives a token that is not the refused one.
func (t *tokens) get(ctx context.Context, refused sparki.Secret) (sparki.Secret, error) {
	if t.fixed != "" {
		return t.fixed, nil
	}
	t.mu.Lock()
	if t.token != "" && t.token != refused && time.Now().Before(t.until) {
		defer t.mu.Unlock()
		return t.token, nil
	}
	f := t.flight
	if f == nil {
		// Others may wait for it too, so it does not end with this call.
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight{cancel: cancel, done: make(chan struct{})}
		t.flight = f
		go t.fetch(shared, f)
	}
	f.waiting++
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		t.leave(f)
		if errors.Is(ctx.Err(), context.Canceled) {
			return "", fmt.Errorf("wait for a Kolibri token: %w", ctx.Err())
		}
		return "", &sparki.Error{Kind: sparki.Unavailable, Text: fmt.Sprintf("%s does not answer in time", t.identity.Name), Err: ctx.Err()}
	}
}

// leave is what one does who no longer waits for a fetch.
func (t *tokens) leave(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		t.land(f)
	}
}

// land lets the next one who needs a token begin a new fetch. The caller holds mu.
func (t *tokens) land(f *flight) {
	if t.flight == f {
		t.flight = nil
	}
}

func (t *tokens) fetch(ctx context.Context, f *flight) {
	defer f.cancel()
	token, lifetime, err := t.signIn(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.token, t.until = token, time.Now().Add(lifetime-min(renewEarly, lifetime/2))
	}
	f.token, f.err = token, err
	t.land(f)
	close(f.done)
}

// signIn trades the client's credentials for an access token.
func (t *tokens) signIn(ctx context.Context) (token sparki.Secret, lifetime time.Duration, err error) {
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {t.client.id},
		"client_secret": {t.client.secret.Reveal()},
	}
	if t.client.scope != "" {
		form.Set("scope", t.client.scope)
	}
	answer, err := t.identity.Do(ctx, rest.Call{
		Method: http.MethodPost, Body: []byte(form.Encode()), ContentType: "application/x-www-form-urlencoded",
	})
	if err != nil {
		return "", 0, t.refusal(err)
	}
	said := gjson.ParseBytes(answer)
	token = sparki.Secret(said.Get("access_token").Str)
	if !isHeaderText(token.Reveal()) {
		return "", 0, sparki.Errorf(sparki.Unavailable, "%s sent no access token; if this goes on, check the token URL", t.identity.Name)
	}
	lifetime = defaultLifetime
	if seconds, ok := wire.Number(said.Get("expires_in")); ok && seconds > 0 {
		lifetime = time.Duration(min(seconds, maxLifetime.Seconds())) * time.Second
	}
	return token, lifetime, nil
}

// explainSignIn reads the error of a token endpoint (RFC 6749 §5.2). Its description is not shown.
func explainSignIn(status int, body []byte) rest.Refusal {
	if !rest.ValidJSON(body) || status >= 500 || status == http.StatusTooManyRequests {
		return rest.Refusal{}
	}
	r := rest.Refusal{Code: wire.Text(gjson.GetBytes(body, "error"))}
	switch r.Code {
	case "invalid_client", "invalid_grant", "unauthorized_client":
		r.Kind = sparki.Unauthorized
	case "invalid_scope":
		r.Kind = sparki.Misconfigured
	}
	return r
}

// refusal words a failed sign-in. It is never NotFound: that would say that an object is gone.
func (t *tokens) refusal(err error) error {
	switch kind, status := sparki.KindOf(err), rest.StatusOf(err); {
	case kind == sparki.Unauthorized:
		return &sparki.Error{Kind: kind, Text: "Kolibri does not accept the client ID and client secret; check both", Err: err}
	case rest.CodeOf(err) == "invalid_scope":
		return &sparki.Error{Kind: sparki.Misconfigured, Text: "Kolibri does not know this scope for this client; check the scope", Err: err}
	case kind == sparki.NotFound, kind == sparki.Misconfigured, status == http.StatusMethodNotAllowed:
		return &sparki.Error{Kind: sparki.Misconfigured, Text: "nobody hands out Kolibri tokens at the token URL; check it", Err: err}
	default:
		return err
	}
}

// stale words the refusal of a token that was just fetched, or that is fixed.
func (t *tokens) stale(err error) error {
	text := "Kolibri refuses the access token that its own identity server gave; check that the API base URL and the token URL belong together"
	if t.fixed != "" {
		text = "Kolibri refuses the authorization token; such a token usually stops working after an hour, so a client ID and secret are better"
	}
	return &sparki.Error{Kind: sparki.Unauthorized, Text: text, Err: err}
}

// maxAgencies bounds how many consented agencies are looked through.
const maxAgencies = 5000

// Check proves that the credentials work, that the agency gave consent, and that listings may be
// searched (contract §1).
func (c *conn) Check(ctx context.Context) error {
	if err := c.checkConsent(ctx); err != nil {
		return err
	}
	_, err := c.search(ctx, searchListings, c.searchRequest(searchPage{take: 1}))
	return err
}

// agenciesRequest is a RealEstateAgencySearchRequest (contract §1).
type agenciesRequest struct {
	Skip           int    `json:"skip"`
	Take           int    `json:"take"`
	Order          string `json:"order"`
	FilterByActive string `json:"filterByActive"`
}

// checkConsent looks for the agency among those that gave this client consent.
func (c *conn) checkConsent(ctx context.Context) error {
	for skip := 0; skip < maxAgencies; {
		found, err := c.search(ctx, searchAgencies, agenciesRequest{skip, pageSize, "Ascending", "ActiveOrInactive"})
		if err != nil {
			return err
		}
		rows, consented := 0, false
		found.rows.ForEach(func(_, agency gjson.Result) bool {
			rows++
			consented = guid(wire.Text(agency.Get("id"))) == c.account.agencyID
			return !consented
		})
		if consented {
			return nil
		}
		skip += rows
		if rows == 0 || found.total >= 0 && float64(skip) >= found.total {
			break
		}
	}
	return sparki.Errorf(sparki.Misconfigured, "%s", c.noConsent())
}
