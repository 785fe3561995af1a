-- +goose Up

-- A person wants the items deactivated that the run misses: it goes on, and asks for each.
alter table sync_runs add column approved boolean not null default false;

-- +goose Down
alter table sync_runs drop column approved;
