// Package media keeps copies of projects' pictures and floor plans in the blob store, so that they
// are served when the CRM is away and as what they are. The rows decide: a medium without a copy is
// served from where the CRM has it.
package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/s3blob" // s3://

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers/rest"
)

// Service copies media and hands the copies out.
type Service struct {
	db           *db.DB
	bucket       *blob.Bucket // nil: nothing is copied, and what was copied is not served
	client       *http.Client
	allowPrivate bool
	publicURL    string
	log          *slog.Logger
}

// Options are what a Service is made of.
type Options struct {
	DB *db.DB
	// Bucket is the blob store, which the Service closes; nil leaves all media where the CRM has them.
	Bucket *blob.Bucket
	// AllowPrivate lets media be fetched over plain http and from addresses that are not public.
	AllowPrivate bool
	// PublicURL is where the outside world reaches Handler's route, without a slash at the end.
	PublicURL string
	Log       *slog.Logger
}

// New makes a Service; Close gives its store back.
func New(o Options) *Service {
	s := &Service{db: o.DB, bucket: o.Bucket, allowPrivate: o.AllowPrivate, publicURL: o.PublicURL, log: o.Log}
	// A client of its own: it has no cookies and knows no token, whichever host it is sent to.
	s.client = &http.Client{
		Transport: rest.Transport(rest.Options{AllowPrivate: o.AllowPrivate}), CheckRedirect: s.checkRedirect, Timeout: fetchTimeout,
	}
	return s
}

// Close gives the store back.
func (s *Service) Close() error {
	s.client.CloseIdleConnections()
	if s.bucket == nil {
		return nil
	}
	return s.bucket.Close()
}

// OpenStore opens the store that a MEDIA_URL names: file:///folder or s3://bucket?region=…; nil for "".
func OpenStore(ctx context.Context, mediaURL string) (*blob.Bucket, error) {
	if mediaURL == "" {
		return nil, nil
	}
	u, err := url.Parse(mediaURL)
	if err != nil {
		return nil, errMediaURL // its own error may hold a secret
	}
	switch {
	case u.Scheme == "file" && u.Host == "" && len(u.Path) > 1 && u.RawQuery == "":
		bucket, err := fileblob.OpenBucket(u.Path, &fileblob.Options{
			CreateDir: true, DirFileMode: 0o700,
			NoTempDir: true, // the system's may be another disk, to which nothing can be renamed
			Metadata:  fileblob.MetadataDontWrite,
		})
		if err != nil {
			return nil, fmt.Errorf("MEDIA_URL: %w", err)
		}
		return bucket, nil
	case u.Scheme == "s3" && u.Host != "":
		bucket, err := blob.OpenBucket(ctx, mediaURL)
		if err != nil {
			return nil, fmt.Errorf("MEDIA_URL: %w", err)
		}
		return bucket, nil
	default:
		return nil, errMediaURL
	}
}

var errMediaURL = errors.New("MEDIA_URL is malformed: want file:///an/absolute/folder or s3://bucket?region=…")

// On says whether media are copied at all.
func (s *Service) On() bool { return s.bucket != nil }

// URL is where a medium is served: by us once it is copied, else where the CRM has it.
func (s *Service) URL(m *sparki.ProjectMedia) string {
	if !m.Copied || !s.On() {
		return m.URL
	}
	return s.publicURL + "/media/" + m.NodeID()
}

// Due lists the bells for all work that waits.
func (s *Service) Due(ctx context.Context) ([]sparki.Bell, error) {
	if !s.On() {
		return nil, nil
	}
	return s.db.DueMedia(ctx)
}

// Bounds of the collection. The grace is for media that vanish from the CRM and come back, and for
// browsers that still show the page.
const (
	collectEvery = time.Hour
	grace        = 24 * time.Hour
	collectBatch = 100
)

// Collect deletes a portal's files to which no medium referred for a day. It looks once an hour.
func (s *Service) Collect(ctx context.Context, portal, _ uuid.UUID) error {
	if !s.On() {
		return nil
	}
	if ok, err := s.db.TakeCollection(ctx, portal, collectEvery); err != nil || !ok {
		return err
	}
	for ctx.Err() == nil {
		doomed, err := s.db.DoomBlobs(ctx, portal, grace, collectBatch)
		if err != nil || len(doomed) == 0 {
			return err
		}
		for n := range doomed {
			if err := s.remove(ctx, doomed[n].Key()); err != nil {
				return fmt.Errorf("delete a copy: %w", err) // its row stays doomed, for the next hour
			}
			if err := s.db.ForgetBlob(ctx, &doomed[n]); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
