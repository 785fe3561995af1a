-- +goose Up

-- Where whatever asked for the work is in its trace, as a W3C traceparent: the worker that does it goes on
-- below that. The latest one that asked counts. Null when nobody knows.
alter table deliveries add column trace text;
alter table fetches add column trace text;
alter table write_backs add column trace text;
alter table sync_runs add column trace text;

-- +goose Down
alter table sync_runs drop column trace;
alter table write_backs drop column trace;
alter table fetches drop column trace;
alter table deliveries drop column trace;
