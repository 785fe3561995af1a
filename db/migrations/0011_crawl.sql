-- +goose Up

-- They are zstd already: Postgres need not try to compress them once more at each write.
alter table items alter column listing set storage external, alter column raw set storage external;
alter table projects alter column content set storage external;

-- +goose Down
alter table projects alter column content set storage extended;
alter table items alter column listing set storage extended, alter column raw set storage extended;
