-- +goose Up

-- Two roles without login that every connection of the program steps down to.
-- sparki_app sees one portal at a time: the one in the setting app.portal of its transaction.
-- sparki_system sees all portals, but only the tables and columns granted below: it finds work and
-- looks up ids, it never reads what belongs to customers.
-- +goose StatementBegin
do $$
declare
  r text;
begin
  foreach r in array array['sparki_app', 'sparki_system'] loop
    begin
      execute format('create role %I nologin', r);
    exception when duplicate_object or unique_violation then null; -- another database of this server made it
    end;
    begin
      execute format('grant %I to %I', r, current_user);
    exception when unique_violation or internal_error then null; -- "tuple concurrently updated": granted meanwhile
    end;
  end loop;
end
$$;
-- +goose StatementEnd

create table portals (
  portal_id  uuid primary key,
  name       text not null,
  time_zone  text not null,
  add_ons    text[] not null,
  created_at timestamptz not null default now()
);

create table api_tokens (
  portal_id   uuid not null references portals,
  id          uuid not null,
  name        text not null,
  hash        bytea not null, -- sha256 of the token
  permissions text[] not null,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz,
  revoked_at  timestamptz,
  primary key (portal_id, id)
);

create table integrations (
  portal_id             uuid not null references portals,
  id                    uuid not null,
  provider              text not null,
  enabled               boolean not null,
  mock                  boolean not null,
  listings              boolean not null,
  agenda                boolean not null,
  outbound              boolean not null,
  connection_state      text not null default 'UNCHECKED',
  connection_checked_at timestamptz,
  connection_problem    text,
  -- The newest modification time that a finished crawl has seen; an incremental run reads from here.
  watermark             timestamptz,
  incremental_due_at    timestamptz not null default now(),
  full_due_at           timestamptz not null default now(),
  created_at            timestamptz not null default now(),
  updated_at            timestamptz not null default now(),
  primary key (portal_id, id),
  unique (portal_id, provider)
);
create index integrations_id on integrations (id); -- a webhook knows the id and nothing else

create table settings (
  portal_id      uuid not null,
  integration_id uuid not null,
  key            text not null,
  value          jsonb, -- null for a secret
  sealed         bytea, -- AES-256-GCM, key id in front; null for all but secrets
  previous       bytea, -- the sealed value before this one
  previous_until timestamptz,
  updated_at     timestamptz not null default now(),
  primary key (portal_id, integration_id, key),
  foreign key (portal_id, integration_id) references integrations
);

create table deliveries (
  portal_id      uuid not null,
  id             uuid not null,
  integration_id uuid not null,
  body           bytea not null, -- as received: jsonb would refuse \u0000 and lone surrogates
  signed         boolean,
  outcome        text not null,
  reason         text not null,
  messages       integer not null, -- that were in it, doubles included
  received_at    timestamptz not null default now(),
  processed_at   timestamptz,
  primary key (portal_id, id),
  foreign key (portal_id, integration_id) references integrations
);
create index deliveries_pending on deliveries (portal_id, integration_id) where outcome = 'PENDING';

create table messages (
  portal_id      uuid not null,
  integration_id uuid not null,
  external_id    text not null, -- the CRM's id: the same message is kept once, for good
  delivery_id    uuid not null,
  kind           text not null,
  source_type    text not null,
  object_id      text not null,
  note           text not null,
  outcome        text not null,
  reason         text not null,
  fetch_id       uuid, -- the fetch that will settle it
  fetch_seq      bigint, -- settled by a fetch that started at this seq or later
  primary key (portal_id, integration_id, external_id),
  foreign key (portal_id, delivery_id) references deliveries
);
create index messages_inbox on messages (portal_id, integration_id, delivery_id) where outcome = 'PENDING' and fetch_id is null;
create index messages_delivery on messages (portal_id, delivery_id);
create index messages_fetch on messages (portal_id, fetch_id) where outcome = 'PENDING';

-- One row per object that has to be read. A hint for an object that waits changes nothing, a hint
-- for one that is being read raises seq, and the row waits again. A row that is done is deleted.
create table fetches (
  portal_id      uuid not null,
  id             uuid not null,
  integration_id uuid not null,
  source_type    text not null,
  external_id    text not null,
  note           text not null,
  cause          text not null,
  state          text not null, -- WAITING, RUNNING, FAILED (out of tries: visible, waits for a new hint)
  seq            bigint not null default 1, -- hints so far
  read_seq       bigint not null default 0, -- seq when the running read began
  attempts       integer not null default 0, -- since the last success or hint
  fence          bigint not null default 0, -- rises with each claim: a worker that lost its lease writes nothing
  due_at         timestamptz not null default now(),
  lease_until    timestamptz,
  error          text,
  created_at     timestamptz not null default now(),
  primary key (portal_id, id),
  unique (portal_id, integration_id, source_type, external_id),
  foreign key (portal_id, integration_id) references integrations
);
create index fetches_due on fetches (due_at) where state = 'WAITING';
create index fetches_leased on fetches (lease_until) where state = 'RUNNING';

create table sync_runs (
  portal_id      uuid not null,
  id             uuid not null,
  integration_id uuid not null,
  domain         text not null,
  trigger        text not null,
  state          text not null,
  is_full        boolean not null,
  since          timestamptz,
  newest         timestamptz, -- the newest modification time seen: the next watermark
  cursor         text not null default '',
  page           integer not null default 0,
  total          integer,
  processed      integer not null default 0,
  created        integer not null default 0,
  updated        integer not null default 0,
  unchanged      integer not null default 0,
  deactivated    integer not null default 0,
  failed         integer not null default 0,
  attempts       integer not null default 0, -- tries of the current page
  fence          bigint not null default 0,
  due_at         timestamptz not null default now(),
  lease_until    timestamptz,
  error          text,
  created_at     timestamptz not null default now(),
  started_at     timestamptz,
  finished_at    timestamptz,
  primary key (portal_id, id),
  foreign key (portal_id, integration_id) references integrations
);
create unique index sync_runs_active on sync_runs (portal_id, integration_id, domain) where state in ('QUEUED', 'RUNNING');
create index sync_runs_latest on sync_runs (portal_id, integration_id, id desc);
create index sync_runs_due on sync_runs (due_at) where state in ('QUEUED', 'RUNNING');

-- What a full run has seen, one row a page, so that unchanged items need no write.
create table sync_run_pages (
  portal_id uuid not null,
  run_id    uuid not null,
  page      integer not null,
  keys      text[] not null, -- source type/external id
  primary key (portal_id, run_id, page),
  foreign key (portal_id, run_id) references sync_runs
);

create table items (
  portal_id             uuid not null,
  id                    uuid not null,
  integration_id        uuid not null,
  source_type           text not null,
  external_id           text not null,
  object_code           text,
  afdeling_code         text,
  agency_id             text,
  office_id             text,
  employee_ids          text[] not null,
  state                 text not null,
  inactive_reason       text,
  -- The card: what lists show, filter and sort by.
  title                 text not null,
  status                text not null,
  category              text not null,
  transaction_type      text,
  price_amount          numeric(15, 2),
  price_currency        text,
  price_label           text,
  address_label         text not null,
  street                text,
  house_number          text,
  house_number_addition text,
  postal_code           text,
  city                  text,
  state_or_province     text,
  country               text,
  physical_address      boolean not null,
  thumbnail_url         text,
  search                text not null, -- lower case title, address and codes
  listing               bytea not null, -- the whole listing: JSON, zstd
  raw                   bytea not null, -- the CRM's answer: as received, zstd
  content_hash          bytea not null, -- of the answer and of how it was mapped: unchanged means nothing to write
  listing_hash          bytea not null, -- of the listing and the state: unchanged means nothing to tell
  mapping_version       integer not null,
  source_modified_at    timestamptz,
  read_at               timestamptz not null, -- when the read began, by this database's clock
  synced_at             timestamptz not null,
  sync_error            text,
  provenance            jsonb,
  created_at            timestamptz not null default now(),
  primary key (portal_id, id),
  unique (portal_id, integration_id, source_type, external_id),
  foreign key (portal_id, integration_id) references integrations
);
create index items_synced on items (portal_id, synced_at desc, id desc);
create index items_title on items (portal_id, title, id);
create index items_city on items (portal_id, city, id);
create index items_price on items (portal_id, price_amount, id);

create table projects (
  portal_id             uuid not null,
  id                    uuid not null,
  item_id               uuid, -- the synced item that it follows
  linked_at             timestamptz,
  refreshed_at          timestamptz,
  imported              boolean not null, -- made by an import, not by hand
  lifecycle             text not null,
  needs_review          boolean not null default false,
  appointment_minutes   integer not null,
  title                 text not null,
  status                text not null,
  category              text not null,
  transaction_type      text,
  price_amount          numeric(15, 2),
  price_currency        text,
  price_label           text,
  address_label         text not null,
  street                text,
  house_number          text,
  house_number_addition text,
  postal_code           text,
  city                  text,
  state_or_province     text,
  country               text,
  physical_address      boolean not null,
  thumbnail_url         text,
  search                text not null,
  content               bytea not null, -- the whole content: a listing as JSON, zstd
  created_at            timestamptz not null default now(),
  updated_at            timestamptz not null default now(),
  primary key (portal_id, id),
  foreign key (portal_id, item_id) references items
);
create index projects_item on projects (portal_id, item_id);
create unique index projects_imported on projects (portal_id, item_id) where imported; -- an import is idempotent
create index projects_updated on projects (portal_id, updated_at desc, id desc);
create index projects_title on projects (portal_id, title, id);
create index projects_city on projects (portal_id, city, id);
create index projects_price on projects (portal_id, price_amount, id);

create table project_media (
  portal_id   uuid not null,
  id          uuid not null,
  project_id  uuid not null,
  kind        text not null,
  origin      text not null,
  external_id text, -- the CRM's media id; null for MANUAL
  url         text not null,
  title       text,
  position    integer not null,
  mime_type   text,
  primary key (portal_id, id),
  unique (portal_id, project_id, kind, external_id),
  foreign key (portal_id, project_id) references projects
);

-- The portal's activities are numbered under this row's lock, so a reader never misses one that
-- commits late.
create table activity_heads (
  portal_id uuid primary key references portals,
  last      bigint not null default 0
);

create table activities (
  portal_id      uuid not null references portals,
  seq            bigint not null,
  id             uuid not null,
  at             timestamptz not null default now(),
  type           text not null,
  params         jsonb not null,
  actor          text not null,
  integration_id uuid,
  subject_kind   text not null,
  subject_id     uuid,
  primary key (portal_id, seq),
  unique (portal_id, id)
);

-- The state of the built-in mock CRMs.
create table mock_versions (
  portal_id      uuid not null,
  integration_id uuid not null,
  version        bigint not null,
  primary key (portal_id, integration_id),
  foreign key (portal_id, integration_id) references integrations
);

create table mock_documents (
  portal_id      uuid not null,
  integration_id uuid not null,
  kind           text not null,
  id             text not null,
  document       bytea not null,
  primary key (portal_id, integration_id, kind, id),
  foreign key (portal_id, integration_id) references integrations
);

-- Row-level security on every table; db_test.go reads the catalogue and finds one that was forgotten.
-- +goose StatementBegin
do $$
declare
  t text;
begin
  foreach t in array array['portals', 'api_tokens', 'integrations', 'settings', 'deliveries', 'messages', 'fetches',
    'sync_runs', 'sync_run_pages', 'items', 'projects', 'project_media', 'activity_heads', 'activities',
    'mock_versions', 'mock_documents'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy portal on %I to sparki_app using (portal_id = nullif(current_setting(''app.portal'', true), '''')::uuid)', t);
    execute format('create policy everything on %I to sparki_system using (true)', t);
    execute format('grant select, insert, update, delete on %I to sparki_app', t);
  end loop;
end
$$;
-- +goose StatementEnd
grant usage on schema public to sparki_app, sparki_system;
grant select on goose_db_version to sparki_app; -- serve and worker refuse an older schema
-- What the system role may do: find due work and the portal of an id.
grant select (portal_id, created_at) on portals to sparki_system;
grant select (portal_id, id, provider, enabled, mock, listings, connection_state, incremental_due_at, full_due_at) on integrations to sparki_system;
grant update (incremental_due_at, full_due_at) on integrations to sparki_system;
grant select (portal_id, integration_id, delivery_id, outcome, fetch_id) on messages to sparki_system;
grant select (portal_id, integration_id, state, due_at, lease_until) on fetches to sparki_system;
grant select (portal_id, id, integration_id, domain, state, due_at, lease_until) on sync_runs to sparki_system;

-- +goose Down
drop table mock_documents, mock_versions, activities, activity_heads, project_media, projects, items, sync_run_pages,
  sync_runs, fetches, messages, deliveries, settings, integrations, api_tokens, portals;
