// Command sparki is Sparki's integration backend: one binary, see README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // portals have time zones, and a container may have no zoneinfo

	"sparki.app/integrations/pubsub"
)

// command is one verb of the program.
type command struct {
	name, summary string
	run           func(context.Context, *invocation) error
}

func commands() []command {
	return []command{
		{"dev", "run everything on this machine, with a demo portal", runDev},
		{"serve", "run the API and take webhooks in", runServe},
		{"worker", "run background work", runWorker},
		{"migrate", "bring the database up to date", runMigrate},
		{"portal create", "add a portal; prints its id", runPortalCreate},
		{"token create", "add an API token; prints it once", runTokenCreate},
		{"token list", "list a portal's tokens", runTokenList},
		{"token revoke", "end a token at once", runTokenRevoke},
		{"keys rotate", "seal every secret with the first of SECRET_KEYS", runKeysRotate},
		{"doctor", "check configuration, database, schema, Redis, queues and keys", runDoctor},
	}
}

// invocation is one call of the program.
type invocation struct {
	args           []string
	env            map[string]string
	stdout, stderr io.Writer
}

func main() {
	pubsub.SilenceLibrary()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, &invocation{args: os.Args[1:], env: environment(os.Environ()), stdout: os.Stdout, stderr: os.Stderr})
	stop()
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintf(os.Stderr, "sparki: %s\n", oneLine(err))
	os.Exit(1)
}

// run finds the command, whose name is one word or two, and runs it.
func run(ctx context.Context, call *invocation) error {
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(call.args) >= len(words) && strings.Join(call.args[:len(words)], " ") == c.name {
			call.args = call.args[len(words):]
			if err := c.run(ctx, call); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			return nil
		}
	}
	usage(call.stderr)
	if len(call.args) > 0 && call.args[0] != "help" && call.args[0] != "-h" && call.args[0] != "--help" {
		return fmt.Errorf("there is no command %q", strings.Join(call.args, " "))
	}
	return flag.ErrHelp
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: sparki COMMAND [FLAGS]")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-14s %s\n", c.name, c.summary)
	}
	fmt.Fprintln(w, "sparki COMMAND -h lists a command's flags. Every environment variable in .env.example has a flag: LISTEN_ADDR is --listen-addr.")
}

func environment(pairs []string) map[string]string {
	env := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
