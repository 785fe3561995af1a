package db

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

const selectAppointment = `a.id, a.schedule_id, a.project_id, a.status, a.starts_at, a.ends_at, a.customer_name, a.customer_email, a.customer_phone,
	a.location, a.notes, a.version, a.created_at, a.updated_at,
	w.appointment_id, w.state, w.action, w.external_id, w.reason, w.message, w.attempts, w.synced_at, w.drift`

const fromAppointments = ` from appointments a join write_backs w on w.portal_id = a.portal_id and w.appointment_id = a.id where a.portal_id = $1`

func appointmentTargets(a *sparki.Appointment) []any {
	return []any{&a.ID, &a.ScheduleID, &a.ProjectID, &a.Status, &a.StartsAt, &a.EndsAt, &a.Customer.Name, &a.Customer.Email, &a.Customer.Phone,
		&a.Location, &a.Notes, &a.Version, &a.CreatedAt, &a.UpdatedAt,
		&a.WriteBack.AppointmentID, &a.WriteBack.State, &a.WriteBack.Action, &a.WriteBack.ExternalID, &a.WriteBack.Reason, &a.WriteBack.Message, &a.WriteBack.Attempts,
		&a.WriteBack.SyncedAt, &a.WriteBack.Drift}
}

func scanAppointment(row pgx.CollectableRow) (*sparki.Appointment, error) {
	a := &sparki.Appointment{}
	return a, row.Scan(appointmentTargets(a)...)
}

// Appointments lists appointments, by when they start.
func (d *DB) Appointments(ctx context.Context, portal uuid.UUID, f sparki.AppointmentFilter, page sparki.PageArgs) (*sparki.Page[*sparki.Appointment], error) {
	where := newConditions(portal)
	addEqual(where, "a.schedule_id", f.ScheduleID)
	addEqual(where, "a.project_id", f.ProjectID)
	addEqual(where, "a.status", f.Status)
	addEqual(where, "w.state", f.WriteBackState)
	if f.From != nil {
		where.add("a.ends_at > ?", *f.From)
	}
	if f.To != nil {
		where.add("a.starts_at < ?", *f.To)
	}
	for _, word := range strings.Fields(strings.ToLower(f.Search)) {
		where.add("a.search like ?", "%"+likeEscape.Replace(word)+"%")
	}
	return list(ctx, d, portal, listQuery[*sparki.Appointment]{
		columns: selectAppointment, from: fromAppointments, id: "a.id", scan: scanAppointment, where: where,
		sort:   sortColumn[*sparki.Appointment]{"a.starts_at", "timestamptz", false, func(a *sparki.Appointment) *string { return timeText(a.StartsAt) }},
		nodeID: func(a *sparki.Appointment) uuid.UUID { return a.ID },
	}, page)
}

// Appointment reads one appointment.
func (d *DB) Appointment(ctx context.Context, portal, id uuid.UUID) (*sparki.Appointment, error) {
	return one(ctx, d, portal, scanAppointment, `select `+selectAppointment+fromAppointments+` and a.id = $2`, portal, id)
}

// AppointmentsByID reads these appointments. Ids without an appointment are left out.
func (d *DB) AppointmentsByID(ctx context.Context, portal uuid.UUID, ids []uuid.UUID) ([]*sparki.Appointment, error) {
	return query(ctx, d, portal, scanAppointment, `select `+selectAppointment+fromAppointments+` and a.id = any($2)`, portal, ids)
}

// AppointmentsChangedSince reads the appointments of which something that is shown changed in this last
// while, in no order.
func (d *DB) AppointmentsChangedSince(ctx context.Context, portal uuid.UUID, while time.Duration) ([]*sparki.Appointment, error) {
	return query(ctx, d, portal, scanAppointment, `select `+selectAppointment+fromAppointments+` and w.changed_at > clock_timestamp() - $2::interval`, portal, while)
}

// UpcomingAppointments counts the appointments of these projects that are not cancelled and not over.
func (d *DB) UpcomingAppointments(ctx context.Context, portal uuid.UUID, projects []uuid.UUID) (map[uuid.UUID]int, error) {
	counts := make(map[uuid.UUID]int, len(projects))
	_, err := query(ctx, d, portal, func(row pgx.CollectableRow) (none struct{}, err error) {
		var id uuid.UUID
		var n int
		err = row.Scan(&id, &n)
		counts[id] = n
		return none, err
	}, `select project_id, count(*) from appointments
		where portal_id = $1 and project_id = any($2) and status <> 'CANCELLED' and ends_at > now() group by project_id`, portal, projects)
	return counts, err
}

// UpcomingOfProject lists the appointments of a project that are not cancelled and not over.
func (tx *Tx) UpcomingOfProject(ctx context.Context, project uuid.UUID) ([]uuid.UUID, error) {
	return collect(ctx, tx.Tx, pgx.RowTo[uuid.UUID], `
		select id from appointments where portal_id = $1 and project_id = $2 and status <> 'CANCELLED' and ends_at > now() order by id`, tx.portal, project)
}

// LockAppointment reads one appointment and keeps others from changing or sending it until the transaction ends.
func (tx *Tx) LockAppointment(ctx context.Context, id uuid.UUID) (*sparki.Appointment, error) {
	return collectOne(ctx, tx.Tx, scanAppointment, `select `+selectAppointment+fromAppointments+` and a.id = $2 for no key update`, tx.portal, id)
}

func appointmentSearch(a *sparki.Appointment) string {
	parts := []string{a.Customer.Name}
	for _, part := range []*string{a.Customer.Email, a.Customer.Phone, a.Location, a.Notes} {
		if part != nil {
			parts = append(parts, *part)
		}
	}
	return strings.ToLower(strings.Join(parts, "\n"))
}

// InsertAppointment adds an appointment, with nothing sent of it yet.
func (tx *Tx) InsertAppointment(ctx context.Context, a *sparki.Appointment) error {
	batch := &pgx.Batch{}
	batch.Queue(`
		insert into appointments (portal_id, id, schedule_id, project_id, status, starts_at, ends_at, customer_name, customer_email, customer_phone, location, notes, search)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, tx.portal, a.ID, a.ScheduleID, a.ProjectID, a.Status, a.StartsAt, a.EndsAt,
		a.Customer.Name, a.Customer.Email, a.Customer.Phone, a.Location, a.Notes, appointmentSearch(a))
	batch.Queue(`insert into write_backs (portal_id, appointment_id, state) values ($1, $2, 'NOT_NEEDED')`, tx.portal, a.ID)
	return tx.SendBatch(ctx, batch).Close()
}

// UpdateAppointment stores a changed appointment.
func (tx *Tx) UpdateAppointment(ctx context.Context, a *sparki.Appointment) error {
	_, err := tx.Exec(ctx, `
		update appointments set schedule_id = $3, status = $4, starts_at = $5, ends_at = $6, customer_name = $7, customer_email = $8,
			customer_phone = $9, location = $10, notes = $11, search = $12, version = version + 1, updated_at = now()
		where portal_id = $1 and id = $2`, tx.portal, a.ID, a.ScheduleID, a.Status, a.StartsAt, a.EndsAt,
		a.Customer.Name, a.Customer.Email, a.Customer.Phone, a.Location, a.Notes, appointmentSearch(a))
	return err
}
