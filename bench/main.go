// Command bench measures Sparki beside plain servers that do the same work, on one machine and in one
// run, and prints one table of ratios.
//
//	go run ./bench [-rounds 3] [-only ingest,list] [-seconds 4] [-profile DIR]
//
// It starts all that it needs on 127.0.0.1 and leaves nothing behind. README.md says what each load
// does, and how another server takes the place of Sparki or of what stands beside it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	rounds       int
	lasts        time.Duration // of one HTTP slice
	only         []string
	ours, beside string // base URLs of other servers; "" for our own
	token        string // for ours
	profiles     string // directory for CPU profiles; "" takes none

	dir        string
	binary     string
	stack      *stack
	loadBefore string
}

// loads are what can be measured, and the databases that each leaves.
var loads = []struct {
	name      string
	databases []string
	run       func(context.Context, *bench) ([]*row, error)
}{
	{"ingest", []string{"ingest", "ingest_beside"}, ingest},
	{"list", []string{"list"}, list},
	{"backfill", []string{"backfill", "backfill_beside"}, backfill},
	{"fan-out", []string{"fan_out", "fan_out_beside"}, fanOut},
}

// longest is when a run is given up.
const longest = 10 * time.Minute

func main() {
	if job, ok := os.LookupEnv(besideEnv); ok {
		if err := serveBeside(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := parse(os.Args[1:])
	if err == nil {
		err = b.run(ctx)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (*bench, error) {
	b := &bench{}
	names := make([]string, len(loads))
	for i, l := range loads {
		names[i] = l.name
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&b.rounds, "rounds", 3, "how often each side of a load is measured, 1 to 9")
	only := flags.String("only", strings.Join(names, ","), "comma list of loads")
	seconds := flags.Int("seconds", 4, "how long an HTTP slice lasts, 1 to 20")
	flags.StringVar(&b.ours, "ours", "", "base URL of a server that takes Sparki's place, on http://127.0.0.1:PORT")
	flags.StringVar(&b.token, "token", os.Getenv("BENCH_TOKEN"), "API token for -ours; also BENCH_TOKEN")
	flags.StringVar(&b.beside, "beside", "", "base URL of a server that takes the plain one's place")
	flags.StringVar(&b.profiles, "profile", "", "directory for CPU profiles of one more slice of each load")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	b.only, b.lasts = strings.Split(*only, ","), time.Duration(*seconds)*time.Second
	for _, name := range b.only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no load %q, only %s", name, strings.Join(names, ", "))
		}
	}
	for _, url := range []*string{&b.ours, &b.beside} {
		if *url = strings.TrimRight(*url, "/"); *url == "" {
			continue
		}
		if err := onLoopback(*url); err != nil {
			return nil, err
		}
	}
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case b.rounds < 1 || b.rounds > 9 || *seconds < 1 || *seconds > 20:
		return nil, errors.New("-rounds is 1 to 9, -seconds 1 to 20")
	}
	return b, nil
}

// run measures, prints, and takes everything away again.
func (b *bench) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	release, err := alone()
	if err != nil {
		return err
	}
	defer release()
	began := time.Now()
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		b.loadBefore = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	if b.dir, err = os.MkdirTemp("", "sparki-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := os.Chmod(b.dir, 0o711); err != nil { // Postgres may run as somebody else
		return err
	}
	if b.profiles != "" {
		if err := os.MkdirAll(b.profiles, 0o755); err != nil {
			return err
		}
	}
	if b.ours == "" {
		progress("building sparki")
		if err := b.build(ctx); err != nil {
			return err
		}
	}
	b.stack, err = startStack(ctx, b.dir)
	defer func() { err = errors.Join(err, b.stack.stop()) }()
	if err != nil {
		return err
	}
	rows, err := b.measure(ctx)
	if len(rows) > 0 {
		b.print(os.Stdout, rows, time.Since(began))
	}
	return err
}

// measure runs the loads. One that fails does not keep the others from being measured.
func (b *bench) measure(ctx context.Context) (rows []*row, failed error) {
	for _, l := range loads {
		if !slices.Contains(b.only, l.name) {
			continue
		}
		if ctx.Err() != nil {
			return rows, errors.Join(failed, context.Cause(ctx))
		}
		progress("measuring " + l.name)
		measured, err := l.run(ctx, b)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", l.name, err))
		}
		rows = append(rows, measured...)
		if err := b.stack.clear(context.WithoutCancel(ctx), l.databases...); err != nil {
			return rows, errors.Join(failed, err)
		}
	}
	return rows, failed
}

// slice measures one HTTP slice.
func (b *bench) slice(ctx context.Context, into *[]sample, of meterOf, shooters []shooter) error {
	if err := b.stack.checkpoint(ctx); err != nil {
		return err
	}
	s, err := hammer(ctx, b.meter(of), b.lasts, shooters)
	if err == nil {
		*into = append(*into, s)
	}
	return err
}

func progress(what string) {
	fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), what)
}
