package listings

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"

	"sparki.app/integrations"
)

func code(err error) sparki.UserErrorCode {
	if refused, ok := errors.AsType[sparki.Refusal](err); ok {
		return refused[0].Code
	}
	return ""
}

func (b *bundle) read(t *testing.T, id uuid.UUID) *sparki.Project {
	t.Helper()
	p, err := b.DB.Project(t.Context(), b.portal.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// setTitle is a person's change of the title.
func setTitle(title string) sparki.ProjectPatch {
	return sparki.ProjectPatch{Set: map[sparki.ProjectField]func(*sparki.Listing){
		sparki.FieldTitle: func(l *sparki.Listing) { l.Title = title },
	}}
}

// change lets the CRM change an object, tells us, and waits until that is done.
func (b *bundle) change(t *testing.T, r sparki.Ref, change func(*sparki.Listing)) {
	t.Helper()
	b.crm.mu.Lock()
	next := *b.crm.objects[r.Key()]
	listing := *next.Listing
	change(&listing)
	next.Listing, next.ModifiedAt, next.Raw = &listing, next.ModifiedAt.Add(1e9), append([]byte(" "), next.Raw...)
	b.crm.objects[r.Key()] = &next
	b.crm.mu.Unlock()
	b.deliver(t, r)
	b.process(t)
}

func imported(t *testing.T) (*bundle, *sparki.Item, *sparki.Project) {
	t.Helper()
	b := setup(t)
	b.crm.put(ref(1), "Huis", 1)
	b.crm.objects[ref(1).Key()].Listing.Images = []sparki.ListingMedia{{ExternalID: "a", URL: "https://media.example/a"}, {ExternalID: "b", URL: "https://media.example/b", Position: 1}}
	b.sync(t)
	item := b.item(t, ref(1))
	project, err := b.Import(t.Context(), b.who, item.ID)
	if err != nil {
		t.Fatal(err)
	}
	return b, item, project
}

func TestOwnership(t *testing.T) {
	t.Parallel()
	b, _, project := imported(t)
	if _, err := b.Update(t.Context(), b.who, project.ID, setTitle("Ons mooiste huis")); err != nil {
		t.Fatal(err)
	}
	b.change(t, ref(1), func(l *sparki.Listing) { l.Title, l.Status = "Huis met tuin", sparki.StatusUnderOption })
	got := b.read(t, project.ID)
	if got.Title != "Ons mooiste huis" || got.Status != sparki.StatusUnderOption {
		t.Errorf("after a refresh: %q, %s", got.Title, got.Status)
	}
	states := sparki.FieldStates(got.Listing, b.item(t, ref(1)).Listing, got.Overrides)
	if s := states[0]; s.Owner != sparki.OwnerUser || s.ProviderValue != "Huis met tuin" || !s.Differs || *s.ChangedBy != "Sanne" {
		t.Errorf("the title's state is %+v", s)
	}
	got, err := b.ResetFields(t.Context(), b.who, project.ID, []sparki.ProjectField{sparki.FieldTitle})
	if err != nil || got.Title != "Huis met tuin" || len(got.Overrides) != 0 {
		t.Errorf("after the reset: %+v, %v", got, err)
	}
	b.change(t, ref(1), func(l *sparki.Listing) { l.Title = "Huis met vijver" })
	if got := b.read(t, project.ID); got.Title != "Huis met vijver" {
		t.Errorf("a field that was given back shows %q", got.Title)
	}
}

// Beside a project that is not refreshed stands what the CRM says now, and giving one field back
// takes over that one alone.
func TestOwnershipInTheArchive(t *testing.T) {
	t.Parallel()
	b, _, project := imported(t)
	if _, err := b.Update(t.Context(), b.who, project.ID, setTitle("Ons mooiste huis")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.SetLifecycle(t.Context(), b.who, project.ID, sparki.Archived); err != nil {
		t.Fatal(err)
	}
	b.change(t, ref(1), func(l *sparki.Listing) {
		l.Title, l.Status = "Huis met tuin", sparki.StatusUnderOption
		l.Images = l.Images[:1]
	})
	differing := func(p *sparki.Project) (fields []sparki.ProjectField) {
		for _, s := range sparki.FieldStates(p.Listing, b.item(t, ref(1)).Listing, p.Overrides) {
			if s.Differs {
				fields = append(fields, s.Field)
			}
		}
		return fields
	}
	if got := differing(b.read(t, project.ID)); !slices.Equal(got, []sparki.ProjectField{sparki.FieldTitle, sparki.FieldStatus, sparki.FieldImages}) {
		t.Errorf("other than the CRM's are %v", got)
	}
	got, err := b.ResetFields(t.Context(), b.who, project.ID, []sparki.ProjectField{sparki.FieldTitle})
	if err != nil || got.Title != "Huis met tuin" || got.Status != sparki.StatusAvailable || len(got.Overrides) != 0 {
		t.Errorf("after the reset: %+v, %v", got, err)
	}
	if n := b.count(t, `select count(*) from project_media where project_id = $1`, project.ID); n != 2 {
		t.Errorf("%d media", n)
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	b, item, first := imported(t)
	if _, err := b.Disconnect(t.Context(), b.who, first.ID); err != nil {
		t.Fatal(err)
	}
	project, err := b.Create(t.Context(), b.who, setTitle("Met de hand gemaakt"))
	if err != nil {
		t.Fatal(err)
	}
	if project, err = b.AddMedia(t.Context(), b.who, project.ID, sparki.MediaImage, "https://own.example/1", nil); err != nil {
		t.Fatal(err)
	}
	preview, err := b.Preview(t.Context(), b.who, project.ID, item.ID)
	if err != nil || preview.MediaAdded != 2 || preview.MediaKept != 1 || preview.MediaRemoved != 0 {
		t.Fatalf("the preview is %+v, %v", preview, err)
	}

	t.Run("Stale", func(t *testing.T) {
		b.change(t, ref(1), func(l *sparki.Listing) { l.Title = "Huis met tuin" })
		_, err := b.Link(t.Context(), b.who, project.ID, item.ID, &preview.Token)
		if got := b.read(t, project.ID); code(err) != sparki.CodeStalePreview || got.Link != nil || got.Title != "Met de hand gemaakt" {
			t.Errorf("a stale preview: %v, %+v", err, got)
		}
	})

	for name, change := range map[string]func() (*sparki.Project, error){
		"StaleByAPicture": func() (*sparki.Project, error) {
			return b.AddMedia(t.Context(), b.who, project.ID, sparki.MediaImage, "https://own.example/2", nil)
		},
		"StaleByAPerson": func() (*sparki.Project, error) {
			return b.Update(t.Context(), b.who, project.ID, setTitle("Met de hand gemaakt"))
		},
		"StaleByTheArchive": func() (*sparki.Project, error) {
			return b.SetLifecycle(t.Context(), b.who, project.ID, sparki.Archived)
		},
	} {
		t.Run(name, func(t *testing.T) {
			preview, err := b.Preview(t.Context(), b.who, project.ID, item.ID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := change(); err != nil {
				t.Fatal(err)
			}
			_, err = b.Link(t.Context(), b.who, project.ID, item.ID, &preview.Token)
			if got := b.read(t, project.ID); code(err) != sparki.CodeStalePreview || got.Link != nil || got.Title != "Met de hand gemaakt" {
				t.Errorf("a stale preview: %v, %+v", err, got)
			}
		})
	}
}

// drawn is a listing by chance, with few values, so that two of them often agree.
func drawn(r *rand.Rand) *sparki.Listing {
	word := func() string { return []string{"", "een", "twee", "drie"}[r.IntN(4)] }
	opt := func() *string { w := word(); return map[bool]*string{true: &w}[w != ""] }
	media := func() (list []sparki.ListingMedia) {
		for n := range r.IntN(5) {
			list = append(list, sparki.ListingMedia{ExternalID: "m" + word(), URL: "https://media.example/" + word(), Title: opt(), Position: n})
		}
		return list
	}
	l := &sparki.Listing{Title: "Huis " + word(), Description: opt(), LongDescription: opt(), Status: sparki.StatusAvailable, Category: sparki.CategoryHouse,
		Address: sparki.Address{Label: word(), City: opt()}, Images: media(), FloorPlans: media(), OtherMedia: media()}
	if r.IntN(2) == 0 {
		l.Price = &sparki.Price{Currency: "EUR", Label: word()}
	}
	if r.IntN(2) == 0 {
		l.Details = []sparki.DetailRow{{Key: word(), Label: word(), Value: word()}}
	}
	if len(l.Images) > 0 || r.IntN(2) == 0 {
		thumbnail := "https://media.example/klein/" + word()
		l.ThumbnailURL = &thumbnail
	}
	return l
}

// What a preview says is what linking does, value for value and medium for medium, also of a project
// that followed another item before and of one that follows this one.
func TestPreviewIsTheResult(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := rand.New(rand.NewPCG(3, 1))
	var items []*sparki.Item
	for n := range 12 {
		b.crm.put(ref(n), "Huis", 1)
		b.crm.objects[ref(n).Key()].Listing = drawn(r)
	}
	b.sync(t)
	for n := range 12 {
		items = append(items, b.item(t, ref(n)))
	}
	project, err := b.Create(t.Context(), b.who, setTitle("Met de hand gemaakt"))
	if err != nil {
		t.Fatal(err)
	}
	media := func() map[string]bool {
		t.Helper()
		list, err := b.DB.MediaOfProjects(t.Context(), b.portal.ID, []uuid.UUID{project.ID})
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, m := range list {
			ids[m.NodeID()] = true
		}
		return ids
	}
	for range 40 {
		must := func(_ *sparki.Project, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		item := items[r.IntN(len(items))]
		switch before := b.read(t, project.ID); {
		case before.Link == nil:
		case r.IntN(3) == 0: // it follows the item already, and a person has changed it
			for item.ID != before.Link.ItemID {
				item = items[r.IntN(len(items))]
			}
		default:
			must(b.Disconnect(t.Context(), b.who, project.ID))
		}
		must(b.Update(t.Context(), b.who, project.ID, setTitle(drawn(r).Title)))
		must(b.AddMedia(t.Context(), b.who, project.ID, []sparki.MediaKind{sparki.MediaThumbnail, sparki.MediaImage}[r.IntN(2)], "https://own.example/1", nil))
		before, had := b.read(t, project.ID), media()
		preview, err := b.Preview(t.Context(), b.who, project.ID, item.ID)
		if err != nil {
			t.Fatal(err)
		}
		linked, err := b.Link(t.Context(), b.who, project.ID, item.ID, &preview.Token)
		if err != nil {
			t.Fatal(err)
		}
		if changes := sparki.Diff(before.Listing, linked.Listing); !reflect.DeepEqual(changes, preview.Changes) {
			t.Fatalf("%d changes, %d in the preview", len(changes), len(preview.Changes))
		}
		added, kept := 0, 0
		for id := range media() {
			if had[id] {
				kept++
			} else {
				added++
			}
		}
		if preview.MediaAdded != added || preview.MediaKept != kept || preview.MediaRemoved != len(had)-kept {
			t.Fatalf("media: %d were added, %d kept, %d removed; the preview is %+v", added, kept, len(had)-kept, preview)
		}
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	b, _, project := imported(t)
	images := func() (out []string) {
		t.Helper()
		media, err := b.DB.MediaOfProjects(t.Context(), b.portal.ID, []uuid.UUID{project.ID})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range media {
			if m.Kind == sparki.MediaImage {
				out = append(out, string(m.Origin)+" "+m.URL)
			}
		}
		return out
	}
	equal := func(want ...string) {
		t.Helper()
		got := images()
		if len(got) != len(want) {
			t.Fatalf("the images are %q, want %q", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("image %d is %q, want %q", i, got[i], want[i])
			}
		}
	}
	if _, err := b.AddMedia(t.Context(), b.who, project.ID, sparki.MediaImage, "https://own.example/1", nil); err != nil {
		t.Fatal(err)
	}
	media, err := b.DB.MediaOfProjects(t.Context(), b.portal.ID, []uuid.UUID{project.ID})
	if err != nil {
		t.Fatal(err)
	}
	first := media[0].ID

	b.change(t, ref(1), func(l *sparki.Listing) { // a new signed URL for a, b vanishes, c is new
		l.Images = []sparki.ListingMedia{{ExternalID: "c", URL: "https://media.example/c"}, {ExternalID: "a", URL: "https://media.example/a?signed=2", Position: 1}}
	})
	equal("MANAGED https://media.example/c", "MANAGED https://media.example/a?signed=2", "MANUAL https://own.example/1")
	if kept, err := b.DB.Media(t.Context(), b.portal.ID, first); err != nil || *kept.ExternalID != "a" {
		t.Errorf("a medium with a new URL got another id: %v, %v", kept, err)
	}

	if _, err := b.RemoveMedia(t.Context(), b.who, first); err != nil {
		t.Fatal(err)
	}
	b.change(t, ref(1), func(l *sparki.Listing) { l.Title = "Huis met tuin" })
	equal("MANAGED https://media.example/c", "MANUAL https://own.example/1")
	now := b.read(t, project.ID)
	for _, s := range sparki.FieldStates(now.Listing, b.item(t, ref(1)).Listing, now.Overrides) {
		if removed := s.Field == sparki.FieldImages; (s.Owner == sparki.OwnerUser) != removed || s.Differs != removed {
			t.Errorf("with a picture removed: %+v", s)
		}
	}
	if _, err := b.ResetFields(t.Context(), b.who, project.ID, []sparki.ProjectField{sparki.FieldImages}); err != nil {
		t.Fatal(err)
	}
	equal("MANAGED https://media.example/c", "MANAGED https://media.example/a?signed=2", "MANUAL https://own.example/1")

	b.change(t, ref(1), func(l *sparki.Listing) { // more than there were when the own one was added
		l.Images = append(slices.Clone(l.Images), sparki.ListingMedia{ExternalID: "d", URL: "https://media.example/d", Position: 2}, sparki.ListingMedia{ExternalID: "e", URL: "https://media.example/e", Position: 3})
	})
	equal("MANAGED https://media.example/c", "MANAGED https://media.example/a?signed=2", "MANAGED https://media.example/d", "MANAGED https://media.example/e", "MANUAL https://own.example/1")

	if _, err := b.Disconnect(t.Context(), b.who, project.ID); err != nil {
		t.Fatal(err)
	}
	equal("MANUAL https://media.example/c", "MANUAL https://media.example/a?signed=2", "MANUAL https://media.example/d", "MANUAL https://media.example/e", "MANUAL https://own.example/1")
}

func TestReview(t *testing.T) {
	t.Parallel()
	for _, decision := range []sparki.ReviewDecision{sparki.ReviewKeep, sparki.ReviewArchive, sparki.ReviewDisconnect} {
		t.Run(string(decision), func(t *testing.T) {
			t.Parallel()
			b, _, project := imported(t)
			b.crm.remove(ref(1))
			b.deliver(t, ref(1))
			b.process(t)
			if got := b.read(t, project.ID); !got.NeedsReview {
				t.Fatal("nobody is asked")
			}
			got, err := b.Review(t.Context(), b.who, project.ID, decision)
			if err != nil || got.NeedsReview {
				t.Fatalf("after the decision: %+v, %v", got, err)
			}
			if archived := got.Lifecycle == sparki.Archived; archived != (decision == sparki.ReviewArchive) {
				t.Errorf("the project is %s", got.Lifecycle)
			}
			if linked := got.Link != nil; linked != (decision != sparki.ReviewDisconnect) {
				t.Errorf("the project's link is %v", got.Link)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	b, item, _ := imported(t)
	for n := range 52 {
		b.change(t, ref(1), func(l *sparki.Listing) { l.Title = "Huis " + string(rune('A'+n)) })
	}
	b.change(t, ref(1), func(*sparki.Listing) {}) // only the CRM's stamp
	page, err := b.DB.History(t.Context(), b.portal.ID, item.ID, sparki.PageArgs{First: 100})
	if err != nil || len(page.Nodes) != 50 {
		t.Fatalf("%d changes are kept, %v", len(page.Nodes), err)
	}
	latest := page.Nodes[0]
	if latest.Cause != sparki.CauseWebhook || len(latest.Changes) != 1 || latest.Changes[0].Field != "TITLE" || latest.Changes[0].After != "Huis t" {
		t.Errorf("the latest change is %+v %+v", latest, latest.Changes[0])
	}
	b.crm.put(ref(1), "Bij de crawl", 59)
	b.crm.objects[ref(1).Key()].ModifiedAt = b.crm.objects[ref(1).Key()].ModifiedAt.AddDate(1, 0, 0)
	b.sync(t)
	page, err = b.DB.History(t.Context(), b.portal.ID, item.ID, sparki.PageArgs{First: 1})
	if err != nil || page.Nodes[0].Cause != sparki.CauseRun || page.Nodes[0].Changes[0].After != "Bij de crawl" {
		t.Errorf("what a crawl found is noted as %+v, %v", page.Nodes[0], err)
	}
	b.crm.remove(ref(1))
	b.deliver(t, ref(1))
	b.process(t)
	page, err = b.DB.History(t.Context(), b.portal.ID, item.ID, sparki.PageArgs{First: 1})
	if err != nil || page.Nodes[0].Changes[0].Field != "STATE" || page.Nodes[0].Changes[0].After != "INACTIVE" {
		t.Errorf("the deletion is noted as %+v, %v", page.Nodes[0].Changes, err)
	}
}

func TestArchiveAndBack(t *testing.T) {
	t.Parallel()
	b, _, project := imported(t)
	if _, err := b.SetLifecycle(t.Context(), b.who, project.ID, sparki.Archived); err != nil {
		t.Fatal(err)
	}
	b.change(t, ref(1), func(l *sparki.Listing) { l.Title = "Huis met tuin" })
	if got := b.read(t, project.ID); got.Title != "Huis" {
		t.Errorf("an archived project was refreshed to %q", got.Title)
	}
	got, err := b.SetLifecycle(t.Context(), b.who, project.ID, sparki.Published)
	if err != nil || got.Title != "Huis met tuin" || got.Lifecycle != sparki.Published || got.NeedsReview {
		t.Errorf("out of the archive: %+v, %v", got, err)
	}

	if _, err := b.SetLifecycle(t.Context(), b.who, project.ID, sparki.Archived); err != nil {
		t.Fatal(err)
	}
	b.crm.remove(ref(1))
	b.deliver(t, ref(1))
	b.process(t)
	if got := b.read(t, project.ID); got.NeedsReview {
		t.Error("somebody is asked about a project that is put away")
	}
	if got, err := b.SetLifecycle(t.Context(), b.who, project.ID, sparki.Draft); err != nil || !got.NeedsReview || got.Title != "Huis met tuin" {
		t.Errorf("out of the archive, with its object gone: %+v, %v", got, err)
	}
}

// A medium at an address that nobody may be sent to is left out of the item and its projects, and
// taken from no person.
func TestForbiddenMedia(t *testing.T) {
	t.Parallel()
	b, _, project := imported(t)
	bad := "https://127.0.0.1/x"
	b.change(t, ref(1), func(l *sparki.Listing) {
		l.ThumbnailURL = &bad
		l.Images = []sparki.ListingMedia{
			{ExternalID: "a", URL: bad}, {ExternalID: "b", URL: "https://media.example/b", Position: 1}, {ExternalID: "c", URL: bad, Position: 2}, {ExternalID: "d", URL: "https://media.example/d", Position: 3},
		}
		l.FloorPlans = []sparki.ListingMedia{{ExternalID: "e", URL: bad}}
	})
	l := b.item(t, ref(1)).Listing
	if len(l.Images) != 2 || l.Images[0].ExternalID != "b" || l.Images[1].ExternalID != "d" || l.Images[1].Position != 1 || len(l.FloorPlans) != 0 || l.ThumbnailURL != nil {
		t.Errorf("the item has %+v", l)
	}
	_, err := b.AddMedia(t.Context(), b.who, project.ID, sparki.MediaImage, bad, nil)
	if refused, ok := errors.AsType[sparki.Refusal](err); !ok || refused[0].Code != sparki.CodeInvalid || !slices.Equal(refused[0].Field, []string{"input", "url"}) {
		t.Errorf("a person's medium at such an address: %v", err)
	}
	if n := b.count(t, `select count(*) from project_media where project_id = $1`, project.ID); n != 2 {
		t.Errorf("the project has %d media", n)
	}
}
