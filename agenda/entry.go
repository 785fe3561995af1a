package agenda

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// entryOf is what the CRM's agenda is to say about an appointment: into the agenda that is linked, or,
// without a link, where its item stands. The texts are Dutch, as the offices' agendas are.
func entryOf(s *db.Situation) (*sparki.AgendaEntry, error) {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("the portal's time zone: %w", err)
	}
	e := &sparki.AgendaEntry{
		Reference: s.NodeID(), Target: targetOf(s),
		Subject: valueOf(s.ProjectTitle, s.RootName) + " – " + s.Customer.Name,
		Start:   s.StartsAt.In(zone), End: s.EndsAt.In(zone),
		Location: valueOf(s.Location, valueOf(s.ProjectAddress, "")),
		Customer: s.Customer,
	}
	at := s.Item.IntegrationID
	if s.Link != nil {
		at = &s.Link.IntegrationID
	}
	if s.Object != nil && at != nil && *s.ObjectIntegration == *at {
		e.Object = s.Object
	}
	e.Description = describe(s, e)
	return e, nil
}

// describe writes the description: who comes and for what, and the reference that the item is found by.
func describe(s *db.Situation, e *sparki.AgendaEntry) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	line("Project", valueOf(s.ProjectTitle, ""))
	line("Klant", e.Customer.Name)
	line("E-mail", valueOf(e.Customer.Email, ""))
	line("Telefoon", valueOf(e.Customer.Phone, ""))
	line("Locatie", e.Location)
	if e.Object != nil {
		line("Object", cmp.Or(e.Object.ObjectCode, e.Object.ExternalID))
	}
	b.WriteString(sparki.ReferenceLine(e.Reference) + "\n")
	return b.String()
}

// targetOf is the agenda that an appointment belongs into; its item's when nothing is linked.
func targetOf(s *db.Situation) sparki.EntryTarget {
	switch {
	case s.Link != nil:
		return sparki.EntryTarget{
			ExternalID: s.Target.ExternalID, Kind: s.Target.Kind, Name: s.Target.Name,
			AfdelingCode: valueOf(s.Link.AfdelingCode, ""), MedewerkerID: valueOf(s.Link.MedewerkerID, ""),
		}
	case s.Item.Sent != nil:
		return s.Item.Sent.Target
	default:
		return sparki.EntryTarget{}
	}
}

func valueOf(s *string, otherwise string) string {
	if s == nil || *s == "" {
		return otherwise
	}
	return *s
}

// sameContent says whether two entries of one appointment say the same, wherever they stand.
func sameContent(a, b *sparki.AgendaEntry) bool {
	x, y := *a, *b
	x.Target, x.Start, x.End = y.Target, y.Start, y.End
	return a.Start.Equal(b.Start) && a.End.Equal(b.End) && reflect.DeepEqual(x, y)
}
