package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"sparki.app/integrations/db"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/media"
	"sparki.app/integrations/pubsub"
	"sparki.app/integrations/worker"
)

// runDoctor prints one line a check, and fails when one does.
func runDoctor(ctx context.Context, call *invocation) error {
	d := &doctor{call: call}
	c, err := call.configure("doctor", needsAll, nil)
	d.check("configuration", err)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		d.checkDatabase(ctx, c)
		d.checkRedis(ctx, c)
		d.check("media store", checkMedia(ctx, c))
	}
	if d.failed > 0 {
		return fmt.Errorf("%d of %d checks failed", d.failed, d.done)
	}
	return nil
}

type doctor struct {
	call         *invocation
	done, failed int
}

func (d *doctor) check(what string, err error) {
	d.done++
	if err != nil {
		d.failed++
		fmt.Fprintf(d.call.stdout, "FAIL  %-14s %s\n", what, oneLine(err))
		return
	}
	fmt.Fprintf(d.call.stdout, "ok    %s\n", what)
}

func (d *doctor) checkDatabase(ctx context.Context, c *config) {
	database, err := db.Open(ctx, db.Options{URL: c.DatabaseURL, MaxConns: 2})
	if err == nil {
		defer database.Close()
		err = database.Ping(ctx)
	}
	d.check("database", err)
	if err != nil {
		return
	}
	err = database.CheckSchema(ctx)
	d.check("schema", err)
	if err == nil {
		d.check("secret keys", checkKeys(ctx, database, c))
		if n, err := integrations.OldSeals(ctx, database, c.keys); err == nil && n > 0 {
			fmt.Fprintf(d.call.stdout, "      %d secrets are sealed with an older key: run sparki keys rotate\n", n)
		}
	}
}

// checkKeys opens one stored secret per portal with the keys that are configured.
func checkKeys(ctx context.Context, database *db.DB, c *config) error {
	portals, err := database.Portals(ctx)
	if err != nil {
		return err
	}
	for _, portal := range portals {
		connected, err := database.Integrations(ctx, portal)
		if err != nil {
			return err
		}
		for _, i := range connected {
			stored, err := database.Settings(ctx, portal, i.ID)
			if err != nil {
				return err
			}
			if err := c.keys.CanOpen(i, stored); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMedia looks whether the store of pictures answers. None is fine.
func checkMedia(ctx context.Context, c *config) error {
	store, err := media.OpenStore(ctx, c.MediaURL)
	if err != nil || store == nil {
		return err
	}
	defer store.Close()
	accessible, err := store.IsAccessible(ctx)
	if err == nil && !accessible {
		err = errors.New("there is no such bucket or folder")
	}
	if err != nil {
		return fmt.Errorf("MEDIA_URL: %w", err)
	}
	return nil
}

func (d *doctor) checkRedis(ctx context.Context, c *config) {
	options, err := pubsub.ParseURL(c.RedisURL)
	if err != nil {
		d.check("redis", err)
		return
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		d.check("redis", errors.New("does not answer; everything goes on, but jobs and live updates come up to ten seconds late"))
		return
	}
	d.check("redis", nil)
	// Some that are rented out do not tell.
	if policy := client.ConfigGet(ctx, "maxmemory-policy").Val()["maxmemory-policy"]; policy != "" && policy != "noeviction" {
		fmt.Fprintf(d.call.stdout, "      its maxmemory-policy is %s: with noeviction it forgets no job, which the sweep then has to find\n", policy)
	}
	queues, err := worker.Queues(client, c.redisPrefix)
	d.check("queues", err)
	for _, q := range queues {
		fmt.Fprintf(d.call.stdout, "      %s: %d waiting, %d running, %d archived\n", c.redisPrefix+q.Name, q.Waiting, q.Running, q.Archived)
	}
}
