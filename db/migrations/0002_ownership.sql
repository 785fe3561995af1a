-- +goose Up

-- What belongs to a person: field → {at, by}. All other fields follow the CRM.
alter table projects add column overrides jsonb not null default '{}';
-- Rises with every change, so that a preview of a link can tell that it is stale.
alter table projects add column version bigint not null default 1;
alter table items add column version bigint not null default 1;

-- What changed at each sync of an item, the latest fifty.
create table item_changes (
  portal_id uuid not null,
  item_id   uuid not null,
  id        uuid not null,
  at        timestamptz not null default now(),
  cause     text not null,
  changes   jsonb not null, -- [{field, before, after}]
  primary key (portal_id, item_id, id),
  foreign key (portal_id, item_id) references items
);
alter table item_changes enable row level security;
alter table item_changes force row level security;
create policy portal on item_changes to sparki_app using (portal_id = nullif(current_setting('app.portal', true), '')::uuid);
create policy everything on item_changes to sparki_system using (true);
grant select, insert, update, delete on item_changes to sparki_app;

-- +goose Down
drop table item_changes;
alter table items drop column version;
alter table projects drop column version, drop column overrides;
