-- +goose Up

-- Prometheus is told how much each mapping does not know, not what.
grant select (portal_id, integration_id, kind, objects) on mapping_gaps to sparki_system;

-- +goose Down
revoke select (portal_id, integration_id, kind, objects) on mapping_gaps from sparki_system;
