package agenda

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

const (
	// modelRuns is how many seeds TestModel tries for each CRM: a thousand in all.
	modelRuns = 500
	// modelPortal is how many of them one after another have the same portal and mock: to make them anew
	// takes longer than a run. Each has a program of its own, and schedules, and finds an empty agenda.
	modelPortal = 25
)

// Random sequences of what people, workers and CRMs do end in exactly one live item per confirmed
// appointment, at the right agenda with the right content, and in none for the others. A seed that
// fails says so; AGENDA_SEED=<seed> runs that one alone.
func TestModel(t *testing.T) {
	t.Parallel()
	d := sharedDB(t)
	for name, c := range crms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seeds := make(chan uint64)
			var workers sync.WaitGroup
			for range 4 {
				workers.Go(func() {
					defer func() { // also when a run ends its goroutine
						for range seeds {
						}
					}()
					var b *bundle
					runs := 0
					for seed := range seeds {
						if t.Failed() {
							continue
						}
						if runs%modelPortal == 0 {
							b = newBundle(t, d, c)
						}
						runs++
						newModel(t, b, seed).run()
					}
				})
			}
			switch {
			case replay != "":
				seed, err := strconv.ParseUint(replay, 10, 64)
				if err != nil {
					t.Error(err)
				}
				seeds <- seed
			case testing.Short():
				feedSeeds(seeds, modelRuns/10)
			default:
				feedSeeds(seeds, modelRuns)
			}
			close(seeds)
			workers.Wait()
		})
	}
}

func feedSeeds(seeds chan<- uint64, n int) {
	for seed := range uint64(n) {
		seeds <- seed
	}
}

// model is one run.
type model struct {
	*bundle
	t         *testing.T
	seed      uint64
	random    *rand.Rand
	schedules []*sparki.Schedule
	house     *sparki.Project
	booked    []*sparki.Appointment
	// vanished are those whose item somebody removed in a CRM that does not tell: that is found out when the
	// next change is sent.
	vanished []*sparki.Appointment
	log      []string
}

func newModel(t *testing.T, b *bundle, seed uint64) *model {
	m := &model{bundle: b, t: t, seed: seed, random: rand.New(rand.NewPCG(seed, seed))}
	m.start(t, m.DB)
	m.house = m.project(t, "Lindelaan 14A")
	first := m.linked(t, "Eerste", 0)
	m.schedules = []*sparki.Schedule{first, m.linked(t, "Tweede", 1), m.schedule(t, "Apart", &first.ID), m.schedule(t, "Los", nil)}
	return m
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Errorf("seed %d (AGENDA_SEED=%d runs it alone): %s\nsteps:\n  %s", m.seed, m.seed, fmt.Sprintf(format, args...), strings.Join(m.log, "\n  "))
}

func (m *model) say(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) run() {
	for range 8 + m.random.IntN(10) {
		m.step()
	}
	m.settleAll()
	m.check()
	for _, i := range m.agenda.live(m.t) {
		m.agenda.remove(m.t, i.id)
	}
}

// step does one thing that can happen.
func (m *model) step() {
	switch n := m.random.IntN(100); {
	case n < 18 || len(m.booked) == 0:
		m.bookOne()
	case n < 36:
		m.changeOne()
	case n < 40:
		m.renameHouse()
	case n < 48:
		m.turn()
	case n < 56:
		m.relink()
	case n < 70:
		m.breakLine()
	case n < 78:
		m.meddle()
	case n < 82:
		m.say("time passes")
		m.pass(m.t)
	default:
		m.work()
	}
}

var statuses = []sparki.AppointmentStatus{sparki.AppointmentDraft, sparki.AppointmentPending, sparki.AppointmentConfirmed, sparki.AppointmentConfirmed, sparki.AppointmentConfirmed}

func pick[T any](m *model, from []T) T { return from[m.random.IntN(len(from))] }

func (m *model) bookOne() {
	schedule := pick(m, m.schedules)
	in := AppointmentInput{ScheduleID: schedule.ID, Status: pick(m, statuses), Times: Times{StartsAt: noon(0)}, Customer: sparki.Customer{Name: "Noor Beekman"}}
	if m.random.IntN(2) == 0 {
		in.ProjectID = &m.house.ID
	}
	a, err := m.Create(m.t.Context(), m.who, in)
	if err != nil {
		m.t.Fatal(err)
	}
	m.say("book %d in %s: %s, about the house: %v", len(m.booked), schedule.Name, in.Status, in.ProjectID != nil)
	m.booked = append(m.booked, a)
}

// renameHouse changes what items say of the project that half of them are about.
func (m *model) renameHouse() {
	title, address := pick(m, []string{"Lindelaan 14A", "Villa Linde", "Landhuis"}), pick(m, []string{"Lindelaan 14A, Bunnik", "Brink 1, Deventer"})
	m.say("the house is %s, %s", title, address)
	m.rewrite(m.t, m.house, func(l *sparki.Listing) { l.Title, l.Address.Label = title, address })
}

func (m *model) changeOne() {
	n := m.random.IntN(len(m.booked))
	patch := AppointmentPatch{}
	for range 1 + m.random.IntN(2) {
		switch m.random.IntN(5) {
		case 0:
			patch.StartsAt = new(noon(0).Add(time.Duration(m.random.IntN(8)) * 30 * time.Minute))
		case 1:
			patch.Customer = &sparki.Customer{Name: pick(m, []string{"Noor Beekman", "Jan Smit", "Ā\u0301\U0001f3e0 Ünal"})}
		case 2:
			patch.Status = new(pick(m, append(statuses, sparki.AppointmentCancelled, sparki.AppointmentCancelled)))
		case 3:
			patch.ScheduleID = &pick(m, m.schedules).ID
		case 4:
			patch.Location = new(new(pick(m, []string{"Lindelaan 14A, Bunnik", "Brink 1, Deventer"})))
		}
	}
	m.say("change %d: %s", n, shown(patch))
	m.change(m.t, m.booked[n], patch)
}

func shown(p AppointmentPatch) string {
	var parts []string
	if p.StartsAt != nil {
		parts = append(parts, "at "+p.StartsAt.Format(time.TimeOnly))
	}
	if p.Status != nil {
		parts = append(parts, string(*p.Status))
	}
	if p.ScheduleID != nil {
		parts = append(parts, "schedule")
	}
	if p.Customer != nil {
		parts = append(parts, p.Customer.Name)
	}
	if p.Location != nil {
		parts = append(parts, **p.Location)
	}
	return strings.Join(parts, ", ")
}

// turn turns a switch, or takes a setting away.
func (m *model) turn() {
	i := *m.integration
	switch m.random.IntN(4) {
	case 0:
		i.Enabled = !i.Enabled
	case 1:
		i.Domains.Agenda = !i.Domains.Agenda
	case 2:
		i.Domains.Outbound = !i.Domains.Outbound
	case 3:
		m.incomplete.Store(!m.incomplete.Load())
	}
	m.integration = &i
	m.say("enabled %v, agenda %v, outbound %v, incomplete %v", i.Enabled, i.Domains.Agenda, i.Domains.Outbound, m.incomplete.Load())
	m.save(m.t)
}

func (m *model) relink() {
	schedule := pick(m, []*sparki.Schedule{m.schedules[0], m.schedules[1], m.schedules[3]})
	if !m.integration.Domains.Agenda {
		return // linking is refused
	}
	if links, err := m.DB.LinksOfSchedules(m.t.Context(), m.portal.ID, []uuid.UUID{schedule.ID}); err != nil {
		m.t.Fatal(err)
	} else if len(links) > 0 && m.random.IntN(3) == 0 {
		m.say("disconnect %s", schedule.Name)
		if _, err := m.Disconnect(m.t.Context(), m.who, links[0].ID); err != nil {
			m.t.Fatal(err)
		}
		return
	}
	target := m.random.IntN(len(m.targets))
	m.say("link %s with %s", schedule.Name, m.targets[target].Name)
	m.link(m.t, schedule, target)
}

// kill ends the worker's goroutine, as kill -9 would: nothing that it wanted to store is stored. A token is
// fetched by a goroutine of its own, for all workers at once: without it they would wait, and not die.
func kill(_ http.RoundTripper, req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/token") {
		return nil, errReset
	}
	runtime.Goexit()
	return nil, nil
}

var faults = []struct {
	name string
	fault
}{
	{"reset", reset}, {"answer lost", after(reset)}, {"500", status(500, "")}, {"500 after it was done", after(status(500, ""))},
	{"429", status(429, "7")}, {"killed before", kill}, {"killed after", after(kill)}, {"400", status(400, "")}, {"401", status(401, "")},
}

// breakLine lets one of the next calls go wrong, and perhaps the one after.
func (m *model) breakLine() {
	for range 1 + m.random.IntN(2) {
		f, skip := pick(m, faults), m.random.IntN(4) // an action makes several calls
		m.say("after %d calls: %s", skip, f.name)
		m.line.arm(append(make([]fault, skip), f.fault)...)
	}
}

// meddle does something to an item in the CRM itself.
func (m *model) meddle() {
	items := m.agenda.live(m.t)
	if len(items) == 0 {
		return
	}
	i := pick(m, items)
	n := slices.IndexFunc(m.booked, func(a *sparki.Appointment) bool { return a.NodeID() == i.reference })
	watches := m.crm.provider.Info().WatchesAgenda
	switch kind := m.random.IntN(3); {
	case kind == 0 || !watches:
		m.say("item of %d vanishes", n)
		m.agenda.remove(m.t, i.id)
		if !watches {
			m.vanished = append(m.vanished, m.booked[n])
		}
	case kind == 1:
		m.say("item of %d is moved in the CRM", n)
		m.agenda.move(m.t, i.id, i.start.Add(2*time.Hour), i.end.Add(2*time.Hour))
	default:
		m.say("item of %d is cancelled in the CRM", n)
		m.agenda.cancel(m.t, i.id)
	}
	if watches && m.random.IntN(2) == 0 {
		m.tell(i.id)
	}
}

// tell lets the CRM tell of a change of items.
func (m *model) tell(ids ...string) {
	messages := make([]db.InboxMessage, len(ids))
	for n, id := range ids {
		messages[n].Ref.ID = id
	}
	err := m.DB.Tx(m.t.Context(), m.portal.ID, func(tx *db.Tx) error {
		_, err := tx.LookAtItems(m.t.Context(), m.integration.ID, messages)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// work lets a worker work, perhaps two at once, perhaps while somebody changes something.
func (m *model) work() {
	m.revive(m.t)
	var workers sync.WaitGroup
	several := m.random.IntN(4) == 0
	m.say("work, several: %v", several)
	for range map[bool]int{true: 2, false: 1}[several] {
		workers.Go(func() {
			if err := m.PushAppointments(m.t.Context(), m.portal.ID, m.integration.ID); err != nil {
				m.t.Errorf("seed %d: %v", m.seed, err)
			}
		})
	}
	if several && len(m.booked) > 0 {
		m.changeOne()
		m.renameHouse()
	}
	workers.Wait()
}

// settleAll mends everything that a person can mend and lets workers work until nothing is left to do.
func (m *model) settleAll() {
	m.say("all is mended")
	m.line.repair()
	i := *m.integration
	i.Enabled, i.Domains = true, sparki.Domains{Agenda: true, Outbound: true}
	m.incomplete.Store(false)
	m.integration = &i
	m.save(m.t)
	for n, schedule := range []*sparki.Schedule{m.schedules[0], m.schedules[1], m.schedules[3]} {
		m.link(m.t, schedule, n%len(m.targets))
	}
	for _, a := range m.vanished {
		if m.read(m.t, a).Status == sparki.AppointmentConfirmed {
			m.change(m.t, a, AppointmentPatch{StartsAt: new(noon(1).Add(7 * time.Minute))}) // as it never was before
		}
	}
	for range 12 {
		m.pass(m.t)
		m.push(m.t)
		if m.crm.provider.Info().WatchesAgenda {
			m.tellAll()
			m.push(m.t)
		}
		if m.mend() == 0 {
			return
		}
	}
}

func (m *model) tellAll() {
	var ids []string
	for _, a := range m.now() {
		if id := a.WriteBack.ExternalID; id != nil {
			ids = append(ids, *id)
		}
	}
	m.tell(ids...)
}

// now reads all appointments, in the order in which they were booked.
func (m *model) now() []*sparki.Appointment {
	m.t.Helper()
	ids := make([]uuid.UUID, len(m.booked))
	for n, a := range m.booked {
		ids[n] = a.ID
	}
	all, err := m.DB.AppointmentsByID(m.t.Context(), m.portal.ID, ids)
	if err != nil || len(all) != len(ids) {
		m.t.Fatalf("%d of %d appointments: %v", len(all), len(ids), err)
	}
	slices.SortFunc(all, func(a, b *sparki.Appointment) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	return all
}

// mend does what a person does about appointments that are not settled, and says how many there are.
func (m *model) mend() (open int) {
	for n, a := range m.now() {
		w := a.WriteBack
		if w.Drift != sparki.InSync {
			keep := pick(m, []sparki.DriftSide{sparki.KeepSparki, sparki.KeepCRM})
			m.say("resolve %s of %d: %s", w.Drift, n, keep)
			if _, err := m.ResolveDrift(m.t.Context(), m.who, a.ID, keep); err != nil {
				m.fail("resolve: %v", err)
			}
			open++
			continue
		}
		switch w.State {
		case sparki.WriteBackSynced, sparki.WriteBackNotNeeded:
		case sparki.WriteBackFailed:
			m.say("retry %d: %s", n, *w.Message)
			if _, err := m.Retry(m.t.Context(), m.who, a.ID); err != nil {
				m.fail("retry: %v", err)
			}
			open++
		default:
			open++
		}
	}
	return open
}

// check compares the CRM's agenda with the appointments.
func (m *model) check() {
	m.t.Helper()
	byReference := map[string][]item{}
	for _, i := range m.agenda.live(m.t) {
		byReference[i.reference] = append(byReference[i.reference], i)
	}
	for n, now := range m.now() {
		items := byReference[now.NodeID()]
		delete(byReference, now.NodeID())
		if state := now.WriteBack.State; state != sparki.WriteBackSynced && state != sparki.WriteBackNotNeeded {
			m.fail("%d ends %s (%s): %+v", n, state, now.Status, now.WriteBack)
			continue
		}
		if now.Status != sparki.AppointmentConfirmed {
			if len(items) > 0 {
				m.fail("%d is %s and has %d items", n, now.Status, len(items))
			}
			continue
		}
		if len(items) != 1 {
			m.fail("%d is confirmed and has %d items", n, len(items))
			continue
		}
		m.compare(n, now, items[0])
	}
	if len(byReference) > 0 {
		m.fail("items of nobody: %v", byReference)
	}
}

func (m *model) compare(n int, a *sparki.Appointment, i item) {
	m.t.Helper()
	situations, err := m.DB.Situations(m.t.Context(), m.portal.ID, []uuid.UUID{a.ID})
	if err != nil {
		m.t.Fatal(err)
	}
	want, err := entryOf(situations[0])
	if err != nil {
		m.t.Fatal(err)
	}
	if i.id != *a.WriteBack.ExternalID || i.target != want.Target.ExternalID || !i.start.Equal(a.StartsAt) || !i.end.Equal(a.EndsAt) || i.subject != want.Subject || i.location != want.Location {
		m.fail("%d has the wrong item:\n%+v\nwant %+v", n, i, want)
	}
}
