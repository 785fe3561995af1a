package realworks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/providers/wire"
)

// atOnce is how many calls are made at the same time with one token; Realworks states no limit, and
// nobody should look for it (contract §6).
const atOnce = 2

// conn is the line to one office's Realworks.
type conn struct {
	account account
	api     rest.Client
}

func newConn(a account, transport http.RoundTripper) *conn {
	return &conn{account: a, api: rest.Client{
		Name: "Realworks", Base: a.baseURL, Secrets: a.secrets, Explain: explain,
		Transport: rest.Limited(transport, rest.Limits{Concurrency: atOnce}),
	}}
}

// String keeps what the connection holds out of logs.
func (c *conn) String() string   { return "Realworks at " + c.account.baseURL }
func (c *conn) GoString() string { return c.String() }

// get makes one call of an API that has listings. The query is sent as it is.
func (c *conn) get(ctx context.Context, api *objectAPI, path, query string) ([]byte, error) {
	answer, err := c.call(ctx, c.account.token, path, query)
	switch {
	case rest.StatusOf(err) == http.StatusUnauthorized:
		return nil, c.refused(ctx, c.account.token, api.name, err)
	case rest.StatusOf(err) == http.StatusForbidden:
		return nil, forbidden(api.name, err)
	}
	return answer, err
}

func (c *conn) call(ctx context.Context, token sparki.Secret, path, query string) ([]byte, error) {
	answer, err := c.answer(ctx, token, rest.Call{Method: http.MethodGet, Path: path, RawQuery: query})
	return answer.Body, err
}

func (c *conn) answer(ctx context.Context, token sparki.Secret, call rest.Call) (rest.Answer, error) {
	call.Header = http.Header{"Authorization": {"rwauth " + token.Reveal()}}
	return c.api.Answer(ctx, call)
}

// What a refusal is about, in rest.CallError.Code.
const (
	codeIP      = "ip range"
	codeGateway = "no such api"
	codeNoPath  = "no such path"
	codeGone    = "no such item"
)

// maxComplaints is how many foutmeldingen are shown.
const maxComplaints = 20

var namesIP = regexp.MustCompile(`(?i)\bIP\b`)

// explain reads the shapes of a refusal (contract §6): error, message, or a list foutmeldingen.
func explain(status int, body []byte) rest.Refusal {
	missing := status == http.StatusNotFound || status == http.StatusGone
	var said gjson.Result
	if rest.ValidJSON(body) {
		said = gjson.ParseBytes(body)
	}
	if !said.IsObject() {
		switch {
		case missing && len(body) > 0, status == http.StatusForbidden:
			return rest.Refusal{Kind: sparki.Misconfigured} // a page of some web server
		default:
			return rest.Refusal{}
		}
	}
	words := []string{wire.Text(said.Get("error")), wire.Text(said.Get("message"))}
	complaints := 0
	wire.Elements(said.Get("foutmeldingen"), func(v gjson.Result) {
		if complaints++; complaints <= maxComplaints {
			words = append(words, wire.Text(v))
		}
	})
	words = slices.DeleteFunc(words, func(s string) bool { return s == "" })
	r := rest.Refusal{Words: strings.Join(words, " ")}
	switch {
	case status == http.StatusForbidden && namesIP.MatchString(r.Words):
		r.Kind, r.Code = sparki.Misconfigured, codeIP
	case status == http.StatusForbidden && r.Words == "Forbidden":
		r.Kind, r.Code = sparki.Misconfigured, codeGateway
	case status == http.StatusForbidden:
		r.Kind = sparki.Misconfigured
	case missing && r.Words == "Resource not found":
		r.Code = codeNoPath
	case missing && complaints > 0:
		r.Code = codeGone
	}
	return r
}

// errNotIncluded: the token is good, but not for this API.
var errNotIncluded = errors.New("the token does not include this API")

// refused finds out what a refused token means: every token is for the API Makelaars (contract §1), so
// one that is good there merely lacks the API that was called.
func (c *conn) refused(ctx context.Context, token sparki.Secret, api string, err error) error {
	_, probe := c.call(ctx, token, makelaarsPath, "")
	switch kind := sparki.KindOf(probe); {
	case probe == nil:
		return &sparki.Error{Kind: sparki.Rejected, Err: errNotIncluded,
			Text: fmt.Sprintf("Realworks accepts the API token, but not for the API %s; add that API to the token in the developer portal", api)}
	case kind == sparki.Unavailable, kind == sparki.Internal: // or its caller gave up
		return probe
	case rest.StatusOf(probe) == http.StatusForbidden:
		return forbidden("Makelaars", probe)
	}
	return &sparki.Error{Kind: sparki.Unauthorized, Err: err,
		Text: "Realworks does not accept the API token; check that it is pasted whole, not expired, and accepted in the developer portal"}
}

// forbidden words a refusal that is not about the token.
func forbidden(api string, err error) error {
	var text string
	switch rest.CodeOf(err) {
	case codeIP:
		text = "Realworks accepts this token from certain IP addresses only, and Sparki's is none of them; add it to the IP range in the developer portal"
	case codeGateway:
		return wrongAddress(err)
	default:
		text = fmt.Sprintf("Realworks refuses access to the API %s; ask the office's Realworks administrator to allow it", api)
	}
	return &sparki.Error{Kind: sparki.Misconfigured, Text: text, Err: err}
}

func wrongAddress(err error) error {
	return &sparki.Error{Kind: sparki.Misconfigured, Text: "there is no Realworks API at the API base URL; check it", Err: err}
}

// list reads one page of an API's list. Its answer has resultaten, an array. A missing list is never
// NotFound: that would say that an object is gone.
func (c *conn) list(ctx context.Context, api *objectAPI, version, query string) (gjson.Result, error) {
	answer, err := c.get(ctx, api, api.listPath(version), query)
	if isMissing(err) {
		return gjson.Result{}, wrongAddress(err)
	}
	if err != nil {
		return gjson.Result{}, err
	}
	return listFrom(answer)
}

// isMissing says whether a call was answered that there is nothing, in whatever words.
func isMissing(err error) bool {
	status := rest.StatusOf(err)
	return status == http.StatusNotFound || status == http.StatusGone
}

func listFrom(answer []byte) (gjson.Result, error) {
	said := gjson.ParseBytes(answer)
	if !said.Get("resultaten").IsArray() {
		return said, sparki.Errorf(sparki.Unavailable, "Realworks sent a list without results; if this goes on, the API base URL is wrong")
	}
	return said, nil
}

// firstPage reads the beginning of an API's list, in the newest version that there is.
func (c *conn) firstPage(ctx context.Context, api *objectAPI, query string) (said gjson.Result, version string, err error) {
	for _, version = range api.versions {
		said, err = c.list(ctx, api, version, query)
		if rest.CodeOf(err) != codeNoPath {
			break
		}
	}
	return said, version, err
}

// count is how many objects an API's list has; -1 when it does not tell.
func (c *conn) count(ctx context.Context, api *objectAPI) (int, error) {
	said, _, err := c.firstPage(ctx, api, listQuery+"&aantal=1")
	if err != nil {
		return 0, err
	}
	return totalFrom(said), nil
}

// Check proves that the token is good for at least one API that has listings, that something is
// released there, and that the other tokens work, where there are any.
func (c *conn) Check(ctx context.Context) error {
	if err := c.checkObjects(ctx); err != nil {
		return err
	}
	if c.account.relatiesToken != c.account.token {
		if err := c.checkOther(ctx, "Relaties", c.account.relatiesToken, medewerkersPath, "aantal=1"); err != nil {
			return err
		}
	}
	if len(c.account.afdelingen) > 0 && c.account.agendaToken != c.account.token {
		return c.checkOther(ctx, "Agenda", c.account.agendaToken, "/agenda/v3/types/"+c.account.afdelingen[0], "")
	}
	return nil
}

func (c *conn) checkObjects(ctx context.Context) error {
	included, objects := false, false
	for i := range objectAPIs {
		n, err := c.count(ctx, &objectAPIs[i])
		if errors.Is(err, errNotIncluded) {
			continue
		}
		if err != nil {
			return err
		}
		included, objects = true, objects || n != 0
	}
	switch {
	case !included:
		return errNoAPI
	case !objects:
		return sparki.Errorf(sparki.Misconfigured, "Realworks accepts the API token, but shows no objects; ask the office to set the release level (vrijgave) of its objects")
	}
	return nil
}

var errNoAPI = sparki.Errorf(sparki.Misconfigured,
	"Realworks accepts the API token, but for none of the APIs Wonen, Business and Nieuwbouw; add one to the token in the developer portal")

// checkOther tries a token that is for one API alone. It says nothing about the listings, so what is
// wrong with it is a matter of the settings.
func (c *conn) checkOther(ctx context.Context, name string, token sparki.Secret, path, query string) error {
	_, err := c.call(ctx, token, path, query)
	switch kind := sparki.KindOf(err); {
	case kind == sparki.Unauthorized:
		return &sparki.Error{Kind: sparki.Misconfigured, Err: err,
			Text: fmt.Sprintf("Realworks does not accept the token for the API %s; check it, or clear it to use the API token", name)}
	case rest.StatusOf(err) == http.StatusForbidden:
		return forbidden(name, err)
	case kind == sparki.NotFound:
		return &sparki.Error{Kind: sparki.Misconfigured, Err: err,
			Text: fmt.Sprintf("Realworks's API %s does not know what the settings name; check the afdeling codes", name)}
	}
	return err
}
