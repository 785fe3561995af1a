package kolibri

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
)

func local(h http.Handler) http.RoundTripper { return rest.Local(h) }

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// staticAccount is the sample account with a fixed token.
func staticAccount() account {
	a := sampleAccount
	a.token = "canary-static-token"
	a.secrets = []sparki.Secret{a.token}
	return a
}

// answering is a Kolibri that always says the same.
func answering(status int, body string) http.RoundTripper {
	return local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
}

var firstObject = sparki.Ref{Type: "object-assignment", ID: objectID(0)}

func TestTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	for lifetime, kept := range map[string]time.Duration{
		"": time.Hour - 30*time.Second, "3600": time.Hour - 30*time.Second, `"120"`: 90 * time.Second, "20": 10 * time.Second,
		"0": time.Hour - 30*time.Second, "-1": time.Hour - 30*time.Second, `"x"`: time.Hour - 30*time.Second, "null": time.Hour - 30*time.Second,
		"1e300": 24*time.Hour - 30*time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			u := newUpstream(1)
			u.lifetime = lifetime
			c := u.connection(t)
			read := func(want int) {
				t.Helper()
				if _, err := c.Listing(t.Context(), firstObject); err != nil || u.signIns != want {
					t.Errorf("expires_in %s: %d sign-ins, want %d, %v", lifetime, u.signIns, want, err)
				}
			}
			read(1)
			<-time.After(kept - time.Second)
			read(1)
			<-time.After(2 * time.Second)
			read(2)
		})
	}
}

func TestOneSignInForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isSignIn(r) {
				<-time.After(time.Second)
			}
			u.ServeHTTP(w, r)
		})
		line, err := New().Connect(liveSettings(), local(slow))
		if err != nil {
			t.Fatal(err)
		}
		// The first who asks gives up; the others are served by the same sign-in all the same.
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := line.Listing(impatient, firstObject); sparki.KindOf(err) != sparki.Unavailable {
				t.Errorf("impatient: %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			group.Go(func() {
				if _, err := line.Listing(t.Context(), firstObject); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if u.signIns != 1 {
			t.Errorf("%d sign-ins", u.signIns)
		}
	})
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	u := newUpstream(1)
	c := u.connection(t)
	if _, err := c.Listing(t.Context(), firstObject); err != nil {
		t.Fatal(err)
	}
	u.refuse()
	if _, err := c.Listing(t.Context(), firstObject); err != nil || u.signIns != 2 {
		t.Errorf("after a refusal: %d sign-ins, %v", u.signIns, err)
	}

	calls := 0
	line, err := New().Connect(liveSettings(), local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isSignIn(r) {
			u.ServeHTTP(w, r)
			return
		}
		calls++
		w.WriteHeader(http.StatusUnauthorized)
	})))
	if err != nil {
		t.Fatal(err)
	}
	_, err = line.Listing(t.Context(), firstObject)
	if sparki.KindOf(err) != sparki.Unauthorized || calls != 2 || u.signIns != 4 {
		t.Errorf("always refused: %d calls, %d sign-ins, %v", calls, u.signIns-2, err)
	}
}

func TestFixedTokenIsSentAsItIs(t *testing.T) {
	t.Parallel()
	var sent []string
	line, err := New().Connect(sparki.Settings{
		Text:    map[string]string{settingBaseURL: "https://crm.example/x/V3/", settingAgency: sampleAgency},
		Secrets: map[string][]sparki.Secret{settingToken: {" Bearer canary-static-token\n"}},
	}, local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.URL.String()+" "+r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
	})))
	if err != nil {
		t.Fatal(err)
	}
	_, err = line.Listing(t.Context(), firstObject)
	if sparki.KindOf(err) != sparki.Unauthorized || !strings.Contains(sparki.TextOf(err), "authorization token") {
		t.Error(err)
	}
	want := "https://crm.example/x/v3/" + sampleAgency + "/ObjectAssignments?id=" + objectID(0) + " Bearer canary-static-token"
	if len(sent) != 1 || sent[0] != want {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

func TestScopeIsSentWhenSet(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"", "kolibri_api_sandbox"} {
		u := newUpstream(1)
		line, err := New().Connect(func() sparki.Settings {
			s := liveSettings()
			s.Text[settingScope] = scope
			return s
		}(), local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isSignIn(r) {
				if r.FormValue("scope") != scope || r.Form.Has("scope") != (scope != "") || r.URL.Host != "" && r.Host != "sandbox-id.kolibri24.com" {
					t.Errorf("scope %q at %s", r.FormValue("scope"), r.Host)
				}
			}
			u.ServeHTTP(w, r)
		})))
		if err != nil {
			t.Fatal(err)
		}
		if err := line.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestCheckSaysWhatIsWrong is what an office reads when it saves settings that do not work.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	type fault func(w http.ResponseWriter, r *http.Request) bool // false: let it pass
	at := func(path string, status int, body string) fault {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, path) {
				return false
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	const (
		token, agencies, listings = "/connect/token", "/RealEstateAgencies/Search", "/Assignments/Search"
		html                      = "<html>Welcome</html>"
	)
	tests := map[string]struct {
		fault fault
		kind  sparki.Kind
		words []string
	}{
		"all is well":              {nil, "", nil},
		"wrong secret":             {at(token, 400, `{"error":"invalid_client"}`), sparki.Unauthorized, []string{"client ID", "client secret"}},
		"wrong secret, 401":        {at(token, 401, ``), sparki.Unauthorized, []string{"client ID", "client secret"}},
		"unknown scope":            {at(token, 400, `{"error":"invalid_scope"}`), sparki.Misconfigured, []string{"scope"}},
		"wrong token URL":          {at(token, 404, html), sparki.Misconfigured, []string{"token URL"}},
		"wrong token URL, 405":     {at(token, 405, ``), sparki.Misconfigured, []string{"token URL"}},
		"wrong token URL, JSON":    {at(token, 404, `{"message":"not found"}`), sparki.Misconfigured, []string{"token URL"}},
		"token URL redirects":      {at(token, 302, ``), sparki.Misconfigured, []string{"token URL"}},
		"token URL is a page":      {at(token, 200, html), sparki.Unavailable, []string{"base URL is wrong"}},
		"token without a token":    {at(token, 200, `{"expires_in":3600}`), sparki.Unavailable, []string{"token URL"}},
		"token with a newline":     {at(token, 200, `{"access_token":"a\nb"}`), sparki.Unavailable, []string{"token URL"}},
		"identity server is down":  {at(token, 503, html), sparki.Unavailable, []string{"identity server"}},
		"token request is refused": {at(token, 400, `{"error":"invalid_request"}`), sparki.Rejected, []string{"identity server"}},

		"another agency":       {at(agencies, 200, `{"totalResults":1,"results":[{"id":"`+sampleOffice+`"}]}`), sparki.Misconfigured, []string{sampleAgency, "has not given consent", "administrator"}},
		"no agency":            {at(agencies, 200, `{"results":[]}`), sparki.Misconfigured, []string{"has not given consent"}},
		"no word of agencies":  {at(agencies, 200, `{"message":"hello"}`), sparki.Unavailable, []string{"API base URL"}},
		"may not see agencies": {at(agencies, 403, `{"message":"no"}`), sparki.Misconfigured, []string{"realestateagency.search"}},
		"wrong API URL":        {at(agencies, 404, html), sparki.Misconfigured, []string{"API base URL"}},
		"wrong API URL, JSON":  {at(agencies, 404, `{"message":"No HTTP resource was found that matches the request URI 'x'."}`), sparki.Misconfigured, []string{"API base URL"}},
		"wrong API URL, empty": {at(agencies, 404, ``), sparki.Misconfigured, []string{"API base URL"}},
		"API is a page":        {at(agencies, 200, html), sparki.Unavailable, []string{"base URL is wrong"}},
		"token is refused":     {at(agencies, 401, ``), sparki.Unauthorized, []string{"belong together"}},
		"API is down":          {at(agencies, 502, html), sparki.Unavailable, []string{"Kolibri cannot answer"}},

		"may not search":            {at(listings, 403, errorResponse("NoPermission")("no")), sparki.Misconfigured, []string{"permission assignment.search"}},
		"may not search, 400":       {at(listings, 400, errorResponse("NoPermission")("no")), sparki.Misconfigured, []string{"permission assignment.search"}},
		"may not search, no code":   {at(listings, 403, httpError("no")), sparki.Misconfigured, []string{sampleAgency, "assignment.search"}},
		"consent is taken back":     {at(listings, 400, errorResponse("NoConsent")("no")), sparki.Misconfigured, []string{"has not given consent"}},
		"user is unknown":           {at(listings, 400, errorResponse("UserUnknown")("no")), sparki.Unauthorized, []string{"credentials"}},
		"search is refused":         {at(listings, 400, errorResponse("InvalidModelState")("take is missing")), sparki.Rejected, []string{"take is missing"}},
		"search says not found":     {at(listings, 400, errorResponse("NotFound")("no")), sparki.Misconfigured, []string{"API base URL"}},
		"search is busy":            {at(listings, 429, errorResponse("NoConsent")("no")), sparki.Unavailable, []string{"fewer calls"}},
		"search has no results":     {at(listings, 200, `{"results":null}`), sparki.Unavailable, []string{"API base URL"}},
		"search at another address": {at(listings, 301, ``), sparki.Misconfigured, []string{"base URL"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(1)
			line, err := New().Connect(liveSettings(), local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if test.fault == nil || !test.fault(w, r) {
					u.ServeHTTP(w, r)
				}
			})))
			if err != nil {
				t.Fatal(err)
			}
			err = line.Check(t.Context())
			if sparki.KindOf(err) != test.kind {
				t.Errorf("%s, want %s: %v", sparki.KindOf(err), test.kind, err)
			}
			for _, words := range test.words {
				if !strings.Contains(sparki.TextOf(err), words) {
					t.Errorf("%q lacks %q", sparki.TextOf(err), words)
				}
			}
		})
	}
}

func TestAgencyFarDownTheList(t *testing.T) {
	t.Parallel()
	u := newUpstream(0)
	u.agencies = nil
	for i := range 350 {
		u.agencies = append(u.agencies, objectID(i))
	}
	c := u.connection(t)
	if err := c.Check(t.Context()); sparki.KindOf(err) != sparki.Misconfigured {
		t.Errorf("not in the list: %v", err)
	}
	u.agencies = append(u.agencies, sampleAgency)
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("last in the list: %v", err)
	}
}

func TestRefusedReads(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		body   string
		kind   sparki.Kind
		words  string
	}{
		{404, httpError("ObjectAssignment not found."), sparki.NotFound, "does not have"},
		{404, "", sparki.NotFound, "does not have"},
		{404, errorResponse("NotFound")("gone"), sparki.NotFound, "does not have"},
		{400, errorResponse("NotFound")("gone"), sparki.NotFound, "does not have"},
		{410, "", sparki.NotFound, "does not have"},
		{404, "<html>404</html>", sparki.Misconfigured, "API base URL"},
		{404, httpError("No HTTP resource was found that matches the request URI 'https://x/'."), sparki.Misconfigured, "API base URL"},
		{403, errorResponse("NoPermission")("no"), sparki.Misconfigured, "objectassignment.read"},
		{403, errorResponse("UnauthorizedDataAccess")("not yours"), sparki.Rejected, "not yours"},
		{500, errorResponse("NotFound")("gone"), sparki.Unavailable, "cannot answer"},
		{409, httpError("busy"), sparki.Rejected, "busy"},
		{200, `{"objectAssignment":null}`, sparki.Unavailable, "something else"},
		{200, `{"objectAssignment":{}}`, sparki.Unavailable, "something else"},
		{200, `{"objectAssignment":{"id":"` + objectID(1) + `"}}`, sparki.Unavailable, "something else"},
		{200, `{"projectAssignment":{"id":"` + objectID(0) + `"}}`, sparki.Unavailable, "something else"},
	}
	for _, test := range tests {
		_, err := newConn(staticAccount(), answering(test.status, test.body)).Listing(t.Context(), firstObject)
		if sparki.KindOf(err) != test.kind || !strings.Contains(sparki.TextOf(err), test.words) {
			t.Errorf("%d %s: %s %v", test.status, test.body, sparki.KindOf(err), err)
		}
	}
}

func TestSignInNeverSaysThatAnObjectIsGone(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 403, 404, 410} {
		for _, body := range []string{"", "<html>", `{"error":"not_found"}`, errorResponse("NotFound")("x")} {
			line, err := New().Connect(liveSettings(), answering(status, body))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := line.Listing(t.Context(), firstObject); err == nil || sparki.KindOf(err) == sparki.NotFound {
				t.Errorf("%d %s: %v", status, body, err)
			}
		}
	}
}

func TestConnectionsPrintNothingSecret(t *testing.T) {
	t.Parallel()
	c := newUpstream(1).connection(t)
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", c, c, c, providers.Conn(c)); strings.Contains(shown, "canary") {
		t.Error(shown)
	}
}

func TestCancelledWhileWaitingForAToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line, err := New().Connect(liveSettings(), local(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := line.Listing(ctx, firstObject); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
