package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/auth"
	"sparki.app/integrations/db"
	"sparki.app/integrations/devstack"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/web"
)

// runDev runs the whole program in one process, with a demo portal whose CRMs are the built-in mocks.
func runDev(ctx context.Context, call *invocation) error {
	var dir string
	var reset bool
	c, err := call.configure("dev", nil, func(f *flag.FlagSet) {
		f.StringVar(&dir, "data-dir", ".data", "where the data live")
		f.BoolVar(&reset, "reset", false, "start over: delete the data first")
	})
	if err != nil {
		return err
	}
	log := c.logger(call)
	if reset {
		if err := devstack.Reset(dir); err != nil {
			return fmt.Errorf("--reset: %w", err)
		}
		if err := removeDemo(dir); err != nil {
			return fmt.Errorf("--reset: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--data-dir: %w", err)
	}
	stack, err := devstack.Start(ctx, devstack.Options{Dir: dir, DatabaseURL: c.DatabaseURL, RedisURL: c.RedisURL, Log: log})
	if err != nil {
		return err
	}
	defer stack.Stop(context.WithoutCancel(ctx)) //nolint:errcheck // it says so in the log
	c.DatabaseURL, c.RedisURL = stack.DatabaseURL, stack.RedisURL
	if err := db.Migrate(ctx, c.DatabaseURL); err != nil {
		return err
	}
	listener, err := devListener(c)
	if err != nil {
		return err
	}
	if c.keys == nil {
		if c.keys, err = devKeys(dir); err != nil {
			return err
		}
	}
	if c.MediaURL == "" {
		if c.MediaURL, err = devMedia(dir); err != nil {
			return err
		}
	}
	a, err := newApp(ctx, c, log, true)
	if err != nil {
		return err
	}
	defer a.close()
	return a.measured(ctx, func(ctx context.Context) error { return a.dev(ctx, call, dir, listener) })
}

// dev serves and works until the context ends or one of them fails.
func (a *app) dev(ctx context.Context, call *invocation, dir string, listener net.Listener) error {
	demo, err := a.demo(ctx, dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	facts := homeFacts(a.config.PublicAPIURL)
	for _, i := range demo.integrations {
		path := fmt.Sprintf("/mock/%s/%s/", i.Provider, i.NodeID())
		facts = append(facts, web.Fact{Label: "Mock " + i.Provider, Text: a.config.PublicAPIURL + path, Href: path})
	}
	served, worked := make(chan error, 1), make(chan error, 1)
	go func() { served <- a.serve(ctx, listener, facts, true); cancel() }()
	go func() { worked <- a.work(ctx); cancel() }()
	var showing sync.WaitGroup
	showing.Go(func() { a.showAgendas(ctx, demo) })
	defer showing.Wait()
	demo.print(call, a.config.PublicAPIURL, a.tokens.SignInCode(demo.who), facts)
	return errors.Join(<-served, <-worked)
}

// devListener takes the configured port, or a free one when that is taken and nobody insisted on it.
func devListener(c *config) (net.Listener, error) {
	public := "http://" + c.ListenAddr
	listener, err := net.Listen("tcp", c.ListenAddr)
	if err != nil && c.ListenAddr == defaultListenAddr {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("LISTEN_ADDR: %w", err)
	}
	if c.PublicAPIURL == public { // nobody set another
		c.PublicAPIURL = "http://" + listener.Addr().String()
	}
	return listener, nil
}

// What dev keeps beside the servers' data.
const (
	mediaDir   = "media"
	keysFile   = "secret-keys"
	portalFile = "demo-portal"
	tokenFile  = "demo-token"
)

// devMedia names the folder that dev copies pictures to.
func devMedia(dir string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(dir, mediaDir))
	return (&url.URL{Scheme: "file", Path: dir}).String(), err
}

func removeDemo(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, mediaDir)); err != nil {
		return err
	}
	for _, name := range []string{keysFile, portalFile, tokenFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// remembered reads a file of dev's own, or makes it.
func remembered(dir, name string, make func() (string, error)) (string, error) {
	path := filepath.Join(dir, name)
	content, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	fresh, err := make()
	if err != nil {
		return "", err
	}
	return fresh, os.WriteFile(path, []byte(fresh+"\n"), 0o600)
}

func devKeys(dir string) (*integrations.Keys, error) {
	keys, err := remembered(dir, keysFile, func() (string, error) {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		return "dev:" + base64.StdEncoding.EncodeToString(key), nil
	})
	if err != nil {
		return nil, err
	}
	return integrations.ParseKeys(keys)
}

// demo is the portal that dev shows.
type demo struct {
	portal       *sparki.Portal
	token        string
	who          *sparki.Principal
	integrations []*sparki.Integration
}

// demo finds the demo portal and its token, or makes them.
func (a *app) demo(ctx context.Context, dir string) (*demo, error) {
	d := &demo{}
	id, err := remembered(dir, portalFile, func() (string, error) {
		portal, err := newPortal("Demo Makelaars", "Europe/Amsterdam", strings.Join(all.Keys(), ","))
		if err != nil {
			return "", err
		}
		return portal.NodeID(), a.db.CreatePortal(ctx, portal)
	})
	if err != nil {
		return nil, err
	}
	portalID, err := sparki.PortalNode.Parse(id)
	if err != nil {
		return nil, err
	}
	if d.portal, err = a.db.Portal(ctx, portalID); err != nil {
		return nil, fmt.Errorf("the demo portal is not in this database; start over with --reset: %w", err)
	}
	d.token, err = remembered(dir, tokenFile, func() (string, error) {
		text, stored := auth.NewToken(portalID, "Demo", sparki.Permissions)
		return text, a.db.CreateToken(ctx, portalID, stored)
	})
	if err != nil {
		return nil, err
	}
	if d.who, err = a.tokens.Authenticate(ctx, "Bearer "+d.token); err != nil {
		return nil, err
	}
	if d.integrations, err = a.db.Integrations(ctx, portalID); err != nil {
		return nil, err
	}
	return d, a.connectDemo(ctx, d)
}

// connectDemo connects the demo portal with every mock CRM that it is not connected with yet.
func (a *app) connectDemo(ctx context.Context, d *demo) error {
	connected := map[string]bool{}
	for _, i := range d.integrations {
		connected[i.Provider] = true
	}
	for _, key := range all.Keys() {
		if connected[key] {
			continue
		}
		i, err := a.integrations.Save(ctx, d.who, integrations.SaveInput{
			Provider: key, Enabled: true, Mock: true, Domains: sparki.Domains{Listings: true, Agenda: true, Outbound: true},
		})
		if err != nil {
			return fmt.Errorf("connect the demo portal with %s: %w", key, err)
		}
		d.integrations = append(d.integrations, i)
	}
	return nil
}

func (d *demo) print(call *invocation, base, code string, facts []web.Fact) {
	fmt.Fprintf(call.stdout, "\nSparki is running since %s. Press Ctrl-C to stop it.\n\n", time.Now().Format(time.TimeOnly))
	fmt.Fprintf(call.stdout, "  %-16s %s\n", "Dashboard", base+"/sign-in?code="+code+" (signs in once)")
	for _, fact := range facts {
		fmt.Fprintf(call.stdout, "  %-16s %s\n", fact.Label, fact.Text)
	}
	fmt.Fprintf(call.stdout, "\n  %-16s %s (%s)\n  %-16s %s\n\n", "Portal", d.portal.Name, d.portal.NodeID(), "API token", d.token)
}
