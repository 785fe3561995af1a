-- +goose Up

alter table deliveries add column attempts integer not null default 0; -- tries to fetch what it hinted at
alter table deliveries add column replay_of uuid;
create index deliveries_received on deliveries (portal_id, integration_id, id desc);

-- +goose Down
drop index deliveries_received;
alter table deliveries drop column replay_of, drop column attempts;
