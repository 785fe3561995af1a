package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the table.
type row struct {
	load, what, beside, unit string
	floor                    float64 // of the ratio; 0 when none is promised
	ceiling                  float64 // of ours; 0 when none is promised
	ours, theirs             []sample
	serve, worker            int64 // peak memory, bytes; 0 when not known
}

func (r *row) ratio() float64 { return paired(r.ours, r.theirs, sample.rate) }

func rates(samples []sample) (all []float64) {
	for _, s := range samples {
		all = append(all, s.rate())
	}
	return all
}

// print writes the table.
func (b *bench) print(w io.Writer, rows []*row, took time.Duration) {
	fmt.Fprintf(w, "\nRatios: ours against what stands beside it, the median of %d interleaved rounds. \"by CPU\" compares operations per second of\nCPU time, which other programs on the machine change least.\n\n", b.rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "load\twhat\tbeside\tratio\tfloor\t\tby CPU\tours (each round)\tbeside (each round)\tunit")
	for _, r := range rows {
		ratio, floor, verdict, byCPU := "-", "-", "", "-"
		if len(r.theirs) > 0 {
			ratio = fmt.Sprintf("%.2f", r.ratio())
		}
		if cpu := paired(r.ours, r.theirs, sample.perCPU); cpu > 0 {
			byCPU = fmt.Sprintf("%.2f", cpu)
		}
		if r.floor > 0 {
			floor, verdict = fmt.Sprintf("%.1f", r.floor), "holds"
			if r.ratio() < r.floor {
				verdict = "MISSED"
			}
		}
		if most := median(rates(r.ours)); r.ceiling > 0 && most > 0 {
			floor, verdict = fmt.Sprintf("≤ %.0f %s", r.ceiling, r.unit), "holds"
			if most > r.ceiling {
				verdict = "MISSED"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.load, r.what, dash(r.beside), ratio, floor, verdict, byCPU, spelled(rates(r.ours)), spelled(rates(r.theirs)), r.unit)
	}
	_ = t.Flush()
	fmt.Fprint(w, "\nWhat one operation costs, medians. CPU time leaves out what other programs took from the core.\n\n")
	fmt.Fprintln(t, "load\twhat\tside\tCPU program\tCPU Postgres+Redis\tp50\tp99\tservers' core\tothers on it\tload's core\tpeak serve\tpeak worker")
	shown := map[*sample]bool{} // some rows share a side
	for _, r := range rows {
		for _, side := range []struct {
			name    string
			samples []sample
		}{{"ours", r.ours}, {"beside", r.theirs}} {
			if len(side.samples) > 0 && !shown[&side.samples[0]] {
				shown[&side.samples[0]] = true
				r.costs(t, side.name, side.samples)
			}
		}
	}
	_ = t.Flush()
	fmt.Fprintf(w, "\nMachine: %s\nMethod: %s\nTook %s, %s.\n", b.machine(), b.method(), took.Round(time.Second), time.Now().Format(time.DateOnly+" 15:04"))
}

// costs writes what one operation of a side costs.
func (r *row) costs(t io.Writer, side string, samples []sample) {
	pick := func(f func(sample) float64) float64 {
		var all []float64
		for _, s := range samples {
			all = append(all, f(s))
		}
		return median(all)
	}
	if pick(func(s sample) float64 { return float64(s.wall) }) == 0 {
		return
	}
	perOp := func(f func(sample) time.Duration) string {
		return micros(pick(func(s sample) float64 { return float64(f(s)) / float64(s.ops) }))
	}
	share := func(f func(sample) time.Duration) string {
		return fmt.Sprintf("%.0f %%", 100*pick(func(s sample) float64 { return float64(f(s)) / float64(s.wall) }))
	}
	serve, worker := "-", "-"
	if side == "ours" {
		serve, worker = megabytes(r.serve), megabytes(r.worker)
	}
	fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.load, r.what, side,
		perOp(func(s sample) time.Duration { return s.program }), perOp(func(s sample) time.Duration { return s.stores }),
		millis(pick(func(s sample) float64 { return float64(s.p50) })), millis(pick(func(s sample) float64 { return float64(s.p99) })),
		share(func(s sample) time.Duration { return s.program + s.stores }), share(sample.others), share(func(s sample) time.Duration { return s.own }), serve, worker)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// spelled writes the median, and all values behind it.
func spelled(values []float64) string {
	if len(values) == 0 {
		return "-"
	}
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.0f (%s)", median(values), strings.Join(all, " "))
}

func micros(ns float64) string {
	if ns == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f µs", ns/1e3)
}

func millis(ns float64) string {
	if ns == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", ns/1e6)
}

func megabytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

// machine names what it ran on. The load average tells whether others worked here as well.
func (b *bench) machine() string {
	model, load := "", ""
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value) + ", "
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = ", load average before " + b.loadBefore + " and after " + strings.Join(strings.Fields(string(text))[:3], " ")
	}
	return fmt.Sprintf("%s%s/%s, %d cores, %s, %s%s", model, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), b.stack.version, load)
}

func (b *bench) method() string {
	where := "nothing is pinned to cores here"
	if b.stack.serverCores != nil {
		where = fmt.Sprintf("servers, Postgres and Redis on core %v, load and mock CRM on %v", b.stack.serverCores, b.stack.loadCores)
	}
	return fmt.Sprintf("%s; %d interleaved rounds, HTTP slices of %v after %v of warm-up, a checkpoint before each; fsync on; every answer checked", where, b.rounds, b.lasts, warmUp)
}
