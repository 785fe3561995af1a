package sparki

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"go.jetify.com/typeid/base32"
)

// NodeKind names the type of an object in its public id (TypeID: "item_01jd…").
type NodeKind string

// Every kind of object that has a public id.
const (
	PortalNode      NodeKind = "portal"
	TokenNode       NodeKind = "token"
	IntegrationNode NodeKind = "integration"
	SyncRunNode     NodeKind = "run"
	ItemNode        NodeKind = "item"
	ProjectNode     NodeKind = "project"
	MediaNode       NodeKind = "media"
	DeliveryNode    NodeKind = "delivery"
	ActivityNode    NodeKind = "activity"

	ScheduleNode     NodeKind = "schedule"
	ScheduleLinkNode NodeKind = "schedulelink"
	AgendaTargetNode NodeKind = "agendatarget"
	AppointmentNode  NodeKind = "appointment"
)

// NewID makes a UUIDv7: unique without the database, and ordered by time in its indexes.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// ID writes the public form of an id: kind, underscore, 26 characters of Crockford base32.
func (k NodeKind) ID(id uuid.UUID) string { return string(k) + "_" + base32.Encode(id) }

// Parse reads a public id of this kind. The error is NotFound: an id of another kind, or no id at
// all, behaves like the id of an object that does not exist.
func (k NodeKind) Parse(s string) (uuid.UUID, error) {
	kind, id, err := ParseID(s)
	if err != nil || kind != k {
		return uuid.Nil, Errorf(NotFound, "no object with this id")
	}
	return id, nil
}

// ParseID splits a public id into its kind and its UUID. An id that is no TypeID is NotFound.
func ParseID(s string) (NodeKind, uuid.UUID, error) {
	kind, suffix, found := strings.Cut(s, "_")
	if !found || len(suffix) != 26 || suffix[0] > '7' {
		return "", uuid.Nil, Errorf(NotFound, "no object with this id")
	}
	b, err := base32.Decode(suffix)
	if err != nil {
		return "", uuid.Nil, Errorf(NotFound, "no object with this id")
	}
	id, err := uuid.FromBytes(b)
	if err != nil {
		return "", uuid.Nil, fmt.Errorf("read id: %w", err)
	}
	return NodeKind(kind), id, nil
}
