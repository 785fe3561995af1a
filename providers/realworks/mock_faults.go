package realworks

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// mockFaults are the faults that can be armed by name, on the page or by JSON (contract §8.8).
var mockFaults = map[string]mockkit.Fault{
	"unauthorized": {Kind: mockkit.FaultStatus, Status: http.StatusUnauthorized},
	"ip":           {Kind: mockkit.FaultStatus, Status: http.StatusForbidden},
	"busy":         {Kind: mockkit.FaultStatus, Status: http.StatusTooManyRequests, RetryAfter: "2"},
	"broken":       {Kind: mockkit.FaultStatus, Status: http.StatusInternalServerError},
	"slow":         {Kind: mockkit.FaultSlow, Delay: 5 * time.Second},
	"lost":         {Kind: mockkit.FaultReset},
	"after":        {Kind: mockkit.FaultStatusAfter, Status: http.StatusBadGateway},
	"no-id":        {Kind: mockkit.FaultAccepted},
	"html":         {Kind: mockkit.FaultHTML},
	"garbage":      {Kind: mockkit.FaultGarbage},
	"truncated":    {Kind: mockkit.FaultTruncated},
	"empty":        {Kind: mockkit.FaultEmpty},
}

func mockFaultNames() []string { return slices.Sorted(maps.Keys(mockFaults)) }

// mockStoredFault is an armed fault, a document of the store, so that all processes fail alike.
type mockStoredFault struct {
	ID     string `json:"id"` // rises with time
	Name   string `json:"fault"`
	Method string `json:"method"` // "" is any
	Path   string `json:"path"`   // a part of the path; "" is any
	Times  int    `json:"times"`  // how many calls are still to fail; below 0 all
	After  int    `json:"after"`  // how many pass first
	Millis int    `json:"millis"` // how long "slow" waits; 0 is its usual time
}

func (f *mockStoredFault) fault() mockkit.Fault {
	fault := mockFaults[f.Name]
	fault.Method, fault.Path = f.Method, f.Path
	fault.Delay = cmp.Or(time.Duration(f.Millis)*time.Millisecond, fault.Delay)
	if fault.Kind == mockkit.FaultStatus || fault.Kind == mockkit.FaultStatusAfter {
		fault.Body = mockRefusal(fault.Status)
	}
	return fault
}

// stored finds the stored fault of a call and counts it; nil when there is none. The page and its
// JSON twin never fail.
func (m *Mock) stored(r *http.Request) *mockkit.Fault {
	segment, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if rest == "" || !mockSegments[segment] && segment != "servlets" {
		return nil
	}
	meant := func(f *mockStoredFault) bool {
		fault := f.fault()
		return f.Times != 0 && fault.Matches(r)
	}
	s, err := m.load(r.Context())
	if err != nil || !slices.ContainsFunc(s.faults, meant) {
		return nil
	}
	var found *mockkit.Fault
	err = m.change(r.Context(), func(s *mockState) (c mockChange, err error) {
		i := slices.IndexFunc(s.faults, meant)
		if i < 0 {
			return c, nil
		}
		f := *s.faults[i]
		switch fault := f.fault(); {
		case f.After > 0:
			f.After--
		case f.Times > 0:
			f.Times--
			found = &fault
		default:
			found = &fault
			return c, nil
		}
		doc, err := mockDoc(mockFaultKind, f.ID, f)
		return mockChange{docs: []providers.MockDoc{doc}}, err
	})
	if err != nil {
		return nil
	}
	return found
}

// arm stores a fault.
func (m *Mock) arm(r *http.Request, f mockStoredFault) error {
	if _, known := mockFaults[f.Name]; !known {
		return mockInvalid("fault: one of " + strings.Join(mockFaultNames(), ", "))
	}
	f.ID = uuid.Must(uuid.NewV7()).String()
	f.Times = cmp.Or(f.Times, 1)
	return m.change(r.Context(), func(*mockState) (mockChange, error) {
		doc, err := mockDoc(mockFaultKind, f.ID, f)
		return mockChange{docs: []providers.MockDoc{doc}}, err
	})
}

// disarm forgets all stored faults.
func (m *Mock) disarm(r *http.Request, s *mockState) error {
	for _, f := range s.faults {
		if err := m.mirror.Store.Delete(r.Context(), mockFaultKind, f.ID); err != nil {
			return err
		}
	}
	return nil
}

// armed are the faults that have calls left.
func (s *mockState) armed() []*mockStoredFault {
	armed := []*mockStoredFault{}
	for _, f := range s.faults {
		if f.Times != 0 {
			armed = append(armed, f)
		}
	}
	return armed
}

// adminFaults answers GET /admin/faults: what is armed.
func (m *Mock) adminFaults(w http.ResponseWriter, _ *http.Request, s *mockState) error {
	return mockkit.Answer(w, mockFields{"faults": s.armed(), "names": mockFaultNames()})
}

// adminArm answers POST /admin/faults with what is armed then.
func (m *Mock) adminArm(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	var f mockStoredFault
	if err := mockReadJSON(w, r, &f); err != nil {
		return err
	}
	if err := m.arm(r, f); err != nil {
		return err
	}
	return m.adminNow(w, r, m.adminFaults)
}

// adminDisarm answers DELETE /admin/faults.
func (m *Mock) adminDisarm(w http.ResponseWriter, r *http.Request, s *mockState) error {
	if err := m.disarm(r, s); err != nil {
		return err
	}
	return m.adminNow(w, r, m.adminFaults)
}

// adminRelease answers GET /admin/release: what the office lets out.
func (m *Mock) adminRelease(w http.ResponseWriter, _ *http.Request, s *mockState) error {
	return mockkit.Answer(w, s.release)
}

// adminSetRelease answers POST /admin/release; what the body leaves out stays.
func (m *Mock) adminSetRelease(w http.ResponseWriter, r *http.Request, s *mockState) error {
	release := s.release
	if err := mockReadJSON(w, r, &release); err != nil {
		return err
	}
	if err := m.setRelease(r, release); err != nil {
		return err
	}
	return m.adminNow(w, r, m.adminRelease)
}

func (m *Mock) setRelease(r *http.Request, release mockRelease) error {
	for _, api := range release.Closed {
		if !mockSegments[api] {
			return mockInvalid("closed: unknown API " + strconv.Quote(api))
		}
	}
	return m.change(r.Context(), func(*mockState) (mockChange, error) {
		doc, err := mockDoc(mockReleaseKind, mockReleaseKind, release)
		return mockChange{docs: []providers.MockDoc{doc}}, err
	})
}
