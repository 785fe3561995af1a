-- +goose Up

-- How an item may stand in the CRM besides as in sent: changes and cancellations that were begun, until one is
-- confirmed. Each is an item like drift_item.
alter table write_backs add column tried jsonb not null default '[]';

-- +goose Down
alter table write_backs drop column tried;
