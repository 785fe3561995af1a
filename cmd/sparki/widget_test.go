package main

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"sparki.app/integrations"
)

// The Kolibri widget, from the CRM's page to ours (reliability.md N1, N2, N9, N11).
func TestWidget(t *testing.T) {
	t.Parallel()
	b := setup(t)
	integration := b.connectMock(t, "kolibri")
	b.waitForSync(t, integration)
	b.imported(t, lindelaan)
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	address := func(query string) string {
		t.Helper()
		resp, err := plain.Get(b.url + "/mock/kolibri/" + integration + "/widget?" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		location := resp.Header.Get("Location")
		path, ok := strings.CutPrefix(location, b.url)
		if !ok || !strings.HasPrefix(path, "/widgets/kolibri/v1/"+integration+"?entityId=") {
			t.Fatalf("the mock leads to %d %q", resp.StatusCode, location)
		}
		return path
	}
	good := address("entityId=" + lindelaan + "&employeeId=e0f1a2b3-14c5-4d6e-8f70-91a2b3c4d5e6")
	for range 3 { // it may be loaded again for as long as it is good
		got := b.send(t, http.MethodGet, good, nil, http.Header{"Accept-Language": {"nl"}})
		if got.status != http.StatusOK || !strings.Contains(got.body, `<html lang="nl">`) || !strings.Contains(got.body, "Dit wordt gevolgd") || !strings.Contains(got.body, "<th scope=\"row\">Project</th>") {
			t.Errorf("answered %d %s", got.status, got.body)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "", "Set-Cookie": "", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors https://kolibri24.com https://*.kolibri24.com",
		} {
			if value := got.header.Get(name); value != want {
				t.Errorf("%s is %q, want %q", name, value, want)
			}
		}
	}
	for what, query := range map[string]string{"a contact": "entityType=ContactPerson&entityId=" + lindelaan, "an object that we do not have": "entityId=00000000-0000-4000-8000-000000000000"} {
		if got := b.send(t, http.MethodGet, address(query), nil, http.Header{}); got.status != http.StatusOK || !strings.Contains(got.body, "Sparki has nothing about this") {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	eventually(t, "a reading that changes nothing", func() bool { // other work may go on beside it
		before := b.checksum(t, b.portal.ID)
		b.send(t, http.MethodGet, good, nil, http.Header{})
		return maps.Equal(b.checksum(t, b.portal.ID), before)
	})

	refused := func(name, method, path string) {
		t.Helper()
		got := b.send(t, method, path, nil, http.Header{})
		if got.status != http.StatusUnauthorized || strings.Contains(got.body, "<") || got.header.Get("X-Frame-Options") != "DENY" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s %v", name, got.status, got.body, got.header)
		}
	}
	_, query, _ := strings.Cut(good, "?")
	refused("no query", http.MethodGet, "/widgets/kolibri/v1/"+integration)
	refused("a script", http.MethodGet, strings.Replace(good, lindelaan, "%3Cscript%3Ealert(1)%3C/script%3E", 1))
	refused("another object", http.MethodGet, strings.Replace(good, lindelaan, kersenboom, 1))
	refused("an unknown integration", http.MethodGet, "/widgets/kolibri/v1/"+sparki.IntegrationNode.ID(sparki.NewID())+"?"+query)
	refused("no id", http.MethodGet, "/widgets/kolibri/v1/%7BintegrationId%7D?"+query)
	at := strings.Index(good, "signature=") + len("signature=")
	refused("a changed signature", http.MethodGet, good[:at]+"AAAA"+good[at+4:])
	if got := b.send(t, http.MethodPost, good, nil, http.Header{}); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", got.status)
	}

	b.query(t, b.token, `mutation ($id: ID!) { setIntegrationEnabled(integrationId: $id, enabled: false) { integration { id } } }`, map[string]any{"id": integration}, &struct{}{})
	if got := b.send(t, http.MethodGet, good, nil, http.Header{}); got.status != http.StatusOK || strings.Contains(got.body, "Lindelaan") || !strings.Contains(got.body, "switched off") {
		t.Errorf("switched off it shows %d %s", got.status, got.body)
	}
}

// A form refuses public keys that cannot verify anything, and keeps the app's key like every secret.
func TestWidgetSettings(t *testing.T) {
	t.Parallel()
	b, o := setup(t), openOffice(t)
	settings := o.settings(t)
	settings["widgetPublicKeys"] = "1: not a key"
	if got := codes(b.save(t, settings).UserErrors); len(got) != 1 || got[0] != "INVALID input.settings.widgetPublicKeys" {
		t.Errorf("a bad key: %v", got)
	}
	settings["widgetPublicKeys"], settings["widgetAppClientKey"] = nil, "app-key"
	b.save(t, settings)
	if got := codes(b.save(t, map[string]any{"apiBaseUrl": "http://127.0.0.1:1", "clientSecret": "x", "clientId": "y"}).UserErrors); len(got) != 1 || got[0] != "REQUIRED input.settings.widgetAppClientKey" {
		t.Errorf("another host without the app's key: %v", got)
	}
}
