-- +goose Up

-- What the mapping does not know, per integration: enum values without a meaning here, and fields
-- that are not looked at. Names and enum values only, never what stands in a text.
create table mapping_gaps (
  portal_id      uuid not null,
  integration_id uuid not null,
  kind           text not null, -- VALUE, FIELD
  name           text not null, -- "listingType=SpaceStation", "internalMemo"
  objects        bigint not null, -- how often an object was stored with it
  first_seen_at  timestamptz not null default now(),
  last_seen_at   timestamptz not null default now(),
  primary key (portal_id, integration_id, kind, name),
  foreign key (portal_id, integration_id) references integrations
);
alter table mapping_gaps enable row level security;
alter table mapping_gaps force row level security;
create policy portal on mapping_gaps to sparki_app using (portal_id = nullif(current_setting('app.portal', true), '')::uuid);
create policy everything on mapping_gaps to sparki_system using (true);
grant select, insert, update, delete on mapping_gaps to sparki_app;

-- A worker looks for items that an older mapping made.
create index items_mapping on items (mapping_version, portal_id, integration_id);
grant select (portal_id, integration_id, mapping_version) on items to sparki_system;

-- +goose Down
revoke select (portal_id, integration_id, mapping_version) on items from sparki_system;
drop index items_mapping;
drop table mapping_gaps;
