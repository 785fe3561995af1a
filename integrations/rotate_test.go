package integrations_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"sparki.app/integrations/integrations"
)

func keysOf(t *testing.T, list string) *integrations.Keys {
	t.Helper()
	keys, err := integrations.ParseKeys(list)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newKey(id string, fill byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), 32)))
}

// sealedWith counts what each key seals, current and previous values together.
func (b *bundle) sealedWith(t *testing.T, keyID string) (n int) {
	t.Helper()
	err := b.super.QueryRow(t.Context(), `select count(*) filter (where sealed_key = $1) + count(*) filter (where previous_key = $1) from settings`, keyID).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRotate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old, fresh := newKey("old", 'a'), newKey("new-2026.11", 'b')
	b.Keys = keysOf(t, old)
	b.save(t, nil)
	b.live["webhookSecret"] = "another secret of some length"
	b.save(t, nil) // so that there is a previous one
	if n := b.sealedWith(t, "old"); n < 3 {
		t.Fatalf("the old key seals %d secrets, want at least two and a previous one", n)
	}
	changed := func() (times string) {
		if err := b.super.QueryRow(t.Context(), `select string_agg(key || updated_at || coalesce(previous_until::text, ''), ',' order by key) from settings`).Scan(&times); err != nil {
			t.Fatal(err)
		}
		return times
	}
	before := changed()

	both := keysOf(t, fresh+","+old)
	if err := integrations.CheckKeys(t.Context(), b.DB, both); err != nil {
		t.Errorf("both keys: %v", err)
	}
	if n, err := integrations.OldSeals(t.Context(), b.DB, both); err != nil || n != 2 {
		t.Errorf("%d settings to seal anew, %v", n, err)
	}
	for name, c := range map[string]struct{ list, says string }{
		"Missing": {fresh, `has no key "old"`}, "OtherKeySameID": {newKey("old", 'c'), `key "old" is not the one`},
	} {
		err := integrations.CheckKeys(t.Context(), b.DB, keysOf(t, c.list))
		if err == nil || !strings.Contains(err.Error(), "SECRET_KEYS") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), strings.Split(c.list, ":")[1]) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// It breaks off at what cannot be opened, and goes on from there.
	b.exec(t, `insert into settings (portal_id, integration_id, key, sealed) select portal_id, integration_id, 'zzz', '\x03626164ff' from settings limit 1`)
	n, err := integrations.Rotate(t.Context(), b.DB, both)
	if err == nil || n != 2 || !strings.Contains(err.Error(), "setting zzz") {
		t.Errorf("%d were sealed, then %v", n, err)
	}
	b.exec(t, `delete from settings where key = 'zzz'`)
	if n, err := integrations.Rotate(t.Context(), b.DB, both); n != 0 || err != nil {
		t.Errorf("nothing was left: %d, %v", n, err)
	}
	if n := b.sealedWith(t, "old"); n != 0 {
		t.Errorf("the old key still seals %d", n)
	}
	if after := changed(); after != before {
		t.Errorf("a change of the secrets is told: %s, before: %s", after, before)
	}

	// The old key may go, and everything opens.
	b.Keys = keysOf(t, fresh)
	if err := integrations.CheckKeys(t.Context(), b.DB, b.Keys); err != nil {
		t.Errorf("without the old key: %v", err)
	}
	if i, err := b.Check(t.Context(), b.who, b.saved.ID); err != nil || i.Connection.State != "OK" {
		t.Errorf("without the old key the line is %+v, %v", i, err)
	}

	// A previous secret whose day is over is not taken along.
	b.exec(t, `update settings set previous_until = now() - interval '1 second' where previous is not null`)
	last := keysOf(t, newKey("last", 'd')+","+fresh)
	if n, err := integrations.Rotate(t.Context(), b.DB, last); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n := b.sealedWith(t, "last"); n != 2 {
		t.Errorf("%d secrets are sealed, want the two current ones", n)
	}
}
