package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/auth"
	"sparki.app/integrations/db"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/providers/all"
)

const adminTimeout = 30 * time.Second

// withDatabase runs an administrator's command on the database.
func (call *invocation) withDatabase(ctx context.Context, name string, define func(*flag.FlagSet), f func(context.Context, *db.DB) error) error {
	c, err := call.configure(name, needsDatabase, define)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	return c.onDatabase(ctx, f)
}

func (c *config) onDatabase(ctx context.Context, f func(context.Context, *db.DB) error) error {
	d, err := db.Open(ctx, db.Options{URL: c.DatabaseURL, MaxConns: 2})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.CheckSchema(ctx); err != nil {
		return err
	}
	return f(ctx, d)
}

func runPortalCreate(ctx context.Context, call *invocation) error {
	var name, zone, addOns string
	return call.withDatabase(ctx, "portal create", func(f *flag.FlagSet) {
		f.StringVar(&name, "name", "", "the customer's name (required)")
		f.StringVar(&zone, "time-zone", "Europe/Amsterdam", "IANA time zone")
		f.StringVar(&addOns, "add-ons", strings.Join(all.Keys(), ","), "comma list of the CRMs that the plan includes")
	}, func(ctx context.Context, d *db.DB) error {
		portal, err := newPortal(name, zone, addOns)
		if err != nil {
			return err
		}
		if err := d.CreatePortal(ctx, portal); err != nil {
			return err
		}
		fmt.Fprintln(call.stdout, portal.NodeID())
		return nil
	})
}

func newPortal(name, zone, addOns string) (*sparki.Portal, error) {
	if strings.TrimSpace(name) == "" {
		return nil, errors.New("--name is missing: give the customer's name")
	}
	if _, err := time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
		return nil, fmt.Errorf("--time-zone: %q is no IANA time zone", zone)
	}
	portal := &sparki.Portal{ID: sparki.NewID(), Name: name, TimeZone: zone, AddOns: []string{}}
	for _, key := range strings.FieldsFunc(addOns, func(r rune) bool { return r == ',' || r == ' ' }) {
		if !slices.Contains(all.Keys(), key) {
			return nil, fmt.Errorf("--add-ons: there is no CRM %q, only %s", key, strings.Join(all.Keys(), ", "))
		}
		portal.AddOns = append(portal.AddOns, key)
	}
	return portal, nil
}

func runTokenCreate(ctx context.Context, call *invocation) error {
	var portal, name, permissions string
	var expires time.Duration
	return call.withDatabase(ctx, "token create", func(f *flag.FlagSet) {
		f.StringVar(&portal, "portal", "", "the portal's id (required)")
		f.StringVar(&name, "name", "", "who the token is for; it stands in the activity log (required)")
		f.StringVar(&permissions, "permissions", string(sparki.View), "comma list: VIEW, EDIT_PORTAL_SETTINGS, EDIT_PROJECTS, EDIT_AGENDAS")
		f.DurationVar(&expires, "expires-in", 0, "for example 720h; without it the token holds until it is revoked")
	}, func(ctx context.Context, d *db.DB) error {
		id, err := portalFlag(portal)
		if err != nil {
			return err
		}
		if strings.TrimSpace(name) == "" {
			return errors.New("--name is missing: say who the token is for")
		}
		rights, err := parsePermissions(permissions)
		if err != nil {
			return err
		}
		text, stored := auth.NewToken(id, name, rights)
		if expires > 0 {
			until := time.Now().Add(expires)
			stored.ExpiresAt = &until
		}
		if err := d.CreateToken(ctx, id, stored); sparki.KindOf(err) == sparki.NotFound {
			return fmt.Errorf("--portal: there is no portal %s", portal)
		} else if err != nil {
			return err
		}
		fmt.Fprintln(call.stdout, text)
		return nil
	})
}

func portalFlag(portal string) (uuid.UUID, error) {
	if portal == "" {
		return uuid.Nil, errors.New("--portal is missing: give a portal's id")
	}
	id, err := sparki.PortalNode.Parse(portal)
	if err != nil {
		return uuid.Nil, errors.New("--portal is no portal id (portal_…)")
	}
	return id, nil
}

func parsePermissions(list string) ([]sparki.Permission, error) {
	var rights []sparki.Permission
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		right := sparki.Permission(strings.ToUpper(word))
		if !slices.Contains(sparki.Permissions, right) {
			return nil, fmt.Errorf("--permissions: there is no permission %q", word)
		}
		if !slices.Contains(rights, right) {
			rights = append(rights, right)
		}
	}
	if len(rights) == 0 {
		return nil, errors.New("--permissions is empty: name at least one")
	}
	return rights, nil
}

func runTokenList(ctx context.Context, call *invocation) error {
	var portal string
	return call.withDatabase(ctx, "token list", func(f *flag.FlagSet) {
		f.StringVar(&portal, "portal", "", "the portal's id (required)")
	}, func(ctx context.Context, d *db.DB) error {
		id, err := portalFlag(portal)
		if err != nil {
			return err
		}
		tokens, err := d.Tokens(ctx, id)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(call.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tPERMISSIONS\tSTATE")
		for _, t := range tokens {
			rights := make([]string, len(t.Permissions))
			for i, right := range t.Permissions {
				rights[i] = string(right)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", sparki.TokenNode.ID(t.ID), t.Name, strings.Join(rights, ","), tokenState(t))
		}
		return table.Flush()
	})
}

func tokenState(t *db.Token) string {
	switch {
	case t.RevokedAt != nil:
		return "revoked " + t.RevokedAt.Format(time.DateOnly)
	case t.ExpiresAt != nil && t.ExpiresAt.Before(time.Now()):
		return "expired " + t.ExpiresAt.Format(time.DateOnly)
	case t.ExpiresAt != nil:
		return "valid until " + t.ExpiresAt.Format(time.DateOnly)
	default:
		return "valid"
	}
}

func runTokenRevoke(ctx context.Context, call *invocation) error {
	var portal, token string
	return call.withDatabase(ctx, "token revoke", func(f *flag.FlagSet) {
		f.StringVar(&portal, "portal", "", "the portal's id (required)")
		f.StringVar(&token, "token", "", "the token's id, as `sparki token list` shows it (required)")
	}, func(ctx context.Context, d *db.DB) error {
		id, err := portalFlag(portal)
		if err != nil {
			return err
		}
		tokenID, err := sparki.TokenNode.Parse(token)
		if err == nil {
			err = d.RevokeToken(ctx, id, tokenID)
		}
		if sparki.KindOf(err) == sparki.NotFound {
			return errors.New("--token: this portal has no such token; sparki token list shows them")
		}
		return err
	})
}

// runKeysRotate may take its time: it stops at Ctrl-C, and goes on when it is run again.
func runKeysRotate(ctx context.Context, call *invocation) error {
	c, err := call.configure("keys rotate", needsKeys, nil)
	if err != nil {
		return err
	}
	return c.onDatabase(ctx, func(ctx context.Context, d *db.DB) error {
		sealed, err := integrations.Rotate(ctx, d, c.keys)
		fmt.Fprintf(call.stdout, "%d secrets were sealed with the first key\n", sealed)
		if err != nil {
			return err
		}
		if left, err := integrations.OldSeals(ctx, d, c.keys); err != nil || left > 0 {
			return errors.Join(err, fmt.Errorf("%d secrets were sealed with another key meanwhile: give every process the new key in front, then run this again", left))
		}
		return nil
	})
}
