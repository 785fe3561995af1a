-- +goose Up

-- Who the holder is to the identity provider (the JWT's "sub"): a person's sessions are counted together. Empty for a
-- session of an API token.
alter table sessions add column subject text not null default '';

-- +goose Down
alter table sessions drop column subject;
