-- +goose Up

-- A body is forgotten after a while: null. What became of it stays, and so do its message ids.
alter table deliveries alter column body drop not null;
create index deliveries_bodies on deliveries (portal_id, received_at) where body is not null;
create index activities_at on activities (portal_id, at);

-- When what a portal need not keep any longer is pruned next.
alter table portals add column prune_due_at timestamptz not null default now();
grant select (prune_due_at) on portals to sparki_system;

-- +goose Down
revoke select (prune_due_at) on portals from sparki_system;
alter table portals drop column prune_due_at;
drop index activities_at, deliveries_bodies;
update deliveries set body = '' where body is null;
alter table deliveries alter column body set not null;
