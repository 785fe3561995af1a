-- +goose Up

create table schedules (
  portal_id  uuid not null references portals,
  id         uuid not null,
  name       text not null,
  parent_id  uuid, -- null for a parent; a separated schedule has no children of its own
  project_id uuid, -- the only project that it is for
  created_at timestamptz not null default now(),
  primary key (portal_id, id),
  foreign key (portal_id, parent_id) references schedules,
  foreign key (portal_id, project_id) references projects
);
create index schedules_parent on schedules (portal_id, parent_id);

-- The agendas of a CRM, as its last sync found them. One that is gone stays, not available: links name it.
create table agenda_targets (
  portal_id      uuid not null,
  id             uuid not null,
  integration_id uuid not null,
  external_id    text not null,
  name           text not null,
  kind           text not null, -- PERSON, OFFICE
  afdeling_code  text,
  medewerker_id  text,
  available      boolean not null,
  primary key (portal_id, id),
  unique (portal_id, integration_id, external_id),
  foreign key (portal_id, integration_id) references integrations
);

create table schedule_links (
  portal_id      uuid not null,
  id             uuid not null,
  integration_id uuid not null,
  schedule_id    uuid not null, -- a parent
  target_id      uuid not null,
  afdeling_code  text,
  medewerker_id  text,
  created_at     timestamptz not null default now(),
  primary key (portal_id, id),
  unique (portal_id, schedule_id), -- it is written into one agenda
  foreign key (portal_id, integration_id) references integrations,
  foreign key (portal_id, schedule_id) references schedules,
  foreign key (portal_id, target_id) references agenda_targets
);
create index schedule_links_integration on schedule_links (portal_id, integration_id);

create table appointments (
  portal_id      uuid not null,
  id             uuid not null,
  schedule_id    uuid not null,
  project_id     uuid,
  status         text not null,
  starts_at      timestamptz not null,
  ends_at        timestamptz not null,
  customer_name  text not null,
  customer_email text,
  customer_phone text,
  location       text,
  notes          text,
  search         text not null, -- lower case customer, location and notes
  version        bigint not null default 1,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  primary key (portal_id, id),
  foreign key (portal_id, schedule_id) references schedules,
  foreign key (portal_id, project_id) references projects
);
create index appointments_starts on appointments (portal_id, starts_at, id);
create index appointments_schedule on appointments (portal_id, schedule_id, starts_at, id);
create index appointments_project on appointments (portal_id, project_id, starts_at, id);

-- One row per appointment: what a CRM's agenda says about it, as far as we know, and the work of making
-- it say what it should.
create table write_backs (
  portal_id      uuid not null,
  appointment_id uuid not null,
  state          text not null,
  action         text, -- the last one sent, or the one that waits
  reason         text,
  message        text,
  integration_id uuid, -- whose turn is next: the worker of this integration looks at the row
  -- The item. It is live from when the CRM told its id until it is cancelled or gone; then the id stays, to be shown.
  external_id    text,
  live           boolean not null default false,
  item_integration_id uuid, -- where it stands, or where the intent below was sent to
  item_schedule_id uuid, -- the parent schedule that it was made for
  sent           jsonb, -- the entry that the CRM confirmed last; null when none is live
  -- The entry of a CREATE that may have been done: stored before it is sent, until its answer is known.
  intent         jsonb,
  drift          text not null default 'IN_SYNC',
  drift_item     jsonb, -- the item as somebody left it in the CRM
  look           boolean not null default false, -- the item changed there: compare it before anything is sent
  -- The work.
  seq            bigint not null default 1, -- changes so far: a send for an older one settles nothing
  fence          bigint not null default 0, -- rises with each claim: a worker that lost its lease writes nothing
  attempts       integer not null default 0, -- since the last success or change
  due_at         timestamptz not null default now(),
  lease_until    timestamptz,
  synced_at      timestamptz,
  changed_at     timestamptz not null default clock_timestamp(), -- of anything that is shown
  primary key (portal_id, appointment_id),
  foreign key (portal_id, appointment_id) references appointments,
  foreign key (portal_id, integration_id) references integrations,
  foreign key (portal_id, item_integration_id) references integrations,
  foreign key (portal_id, item_schedule_id) references schedules
);
create index write_backs_due on write_backs (due_at) where state in ('QUEUED', 'UNKNOWN', 'SENDING') or look;
create index write_backs_turn on write_backs (portal_id, integration_id, due_at) where state in ('QUEUED', 'UNKNOWN', 'SENDING') or look;
create index write_backs_integration on write_backs (portal_id, integration_id, state);
create index write_backs_item on write_backs (portal_id, item_integration_id, external_id) where live;
create index write_backs_changed on write_backs (portal_id, changed_at);
create index write_backs_state on write_backs (portal_id, state);

-- The smoke test's items, so that they are cleaned up also after a crash.
create table smoke_tests (
  portal_id      uuid not null,
  id             uuid not null,
  integration_id uuid not null,
  entry          jsonb not null, -- what was to be created
  external_id    text, -- once the CRM told it
  created_at     timestamptz not null default now(),
  lease_until    timestamptz not null, -- while it runs; after it, whoever comes cleans up
  primary key (portal_id, id),
  foreign key (portal_id, integration_id) references integrations
);

-- When an integration's agenda targets have to be read again.
alter table integrations add column targets_due_at timestamptz;

-- +goose StatementBegin
do $$
declare
  t text;
begin
  foreach t in array array['schedules', 'agenda_targets', 'schedule_links', 'appointments', 'write_backs', 'smoke_tests'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy portal on %I to sparki_app using (portal_id = nullif(current_setting(''app.portal'', true), '''')::uuid)', t);
    execute format('create policy everything on %I to sparki_system using (true)', t);
    execute format('grant select, insert, update, delete on %I to sparki_app', t);
  end loop;
end
$$;
-- +goose StatementEnd
grant select (agenda, targets_due_at), update (targets_due_at) on integrations to sparki_system;
grant select (portal_id, integration_id, state, look, due_at, lease_until) on write_backs to sparki_system;
grant select (portal_id, id, integration_id, lease_until) on smoke_tests to sparki_system;

-- +goose Down
drop table smoke_tests, write_backs, appointments, schedule_links, agenda_targets, schedules;
alter table integrations drop column targets_due_at;
