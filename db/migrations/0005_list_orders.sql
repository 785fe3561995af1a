-- +goose Up

-- Values that may be missing come last both ways, which takes an index for each way.
create index items_city_desc on items (portal_id, city desc nulls last, id desc);
create index items_price_desc on items (portal_id, price_amount desc nulls last, id desc);
create index projects_city_desc on projects (portal_id, city desc nulls last, id desc);
create index projects_price_desc on projects (portal_id, price_amount desc nulls last, id desc);

-- +goose Down
drop index projects_price_desc, projects_city_desc, items_price_desc, items_city_desc;
