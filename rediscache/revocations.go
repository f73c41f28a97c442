package rediscache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation"
)

var _ delegation.RevocationStore = (*Cache)(nil)

const (
	// pageOfMarks is how many entries one command reads.
	pageOfMarks = 1000
	// markMargin is how much longer than its mark an entry stays, because the clocks of replicas
	// and Redis differ.
	markMargin = time.Hour
)

// markStream is the key of the stream of marks. There is one, so that a replica that reads it from
// where it was misses nothing, and reads nothing twice.
func (c *Cache) markStream() string { return c.config.Prefix + "ended" }

// AddRevocations implements [delegation.RevocationStore]. The marks are one entry of a stream.
// Redis removes it when it is not needed any more, and the stream after its last entry.
func (c *Cache) AddRevocations(ctx context.Context, marks []delegation.RevocationMark) error {
	if len(marks) == 0 {
		return nil
	}
	now := c.config.Now()
	var life time.Duration
	values := make([]string, 0, 2*len(marks))
	for i, mark := range marks {
		life = max(life, mark.Until.Sub(now))
		values = append(values, strconv.Itoa(i), writtenMark(mark))
	}
	life += markMargin
	name := c.markStream()
	return c.do(ctx, "revoke", func(ctx context.Context) error {
		_, err := c.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
			pipeline.XAdd(ctx, &redis.XAddArgs{
				Stream: name,
				MinID:  strconv.FormatInt(now.Add(-life).UnixMilli(), 10),
				Approx: true,
				Values: values,
			})
			pipeline.PExpire(ctx, name, life)
			return nil
		})
		return err
	})
}

// RevocationsSince implements [delegation.RevocationStore]. The position is the ID of an entry. If
// that entry is gone, because it was removed or Redis has lost it, all entries are read anew.
func (c *Cache) RevocationsSince(ctx context.Context, position string) (
	marks []delegation.RevocationMark, next string, err error,
) {
	marks, next, found, err := c.marksFrom(ctx, position)
	if err == nil && !found {
		marks, next, found, err = c.marksFrom(ctx, "")
	}
	if err == nil && !found {
		err = errors.New("redis: the ended sessions changed while they were read")
	}
	if err != nil {
		return nil, "", err
	}
	return marks, next, nil
}

// marksFrom reads the stream from an entry on, which was read before, or from the beginning. It
// reports whether that entry is there.
func (c *Cache) marksFrom(ctx context.Context, position string) (
	marks []delegation.RevocationMark, next string, found bool, err error,
) {
	next = position
	for {
		page, err := c.pageOfMarks(ctx, next)
		if err != nil {
			return nil, "", false, err
		}
		if next != "" {
			if len(page) == 0 || page[0].ID != next {
				return nil, "", false, nil
			}
			page = page[1:]
		}
		for _, entry := range page {
			read, err := readMarks(entry)
			if err != nil {
				return nil, "", false, fmt.Errorf("redis: %s in %s: %w",
					entry.ID, c.markStream(), err)
			}
			marks = append(marks, read...)
			next = entry.ID
		}
		if len(page) < pageOfMarks-1 {
			return marks, next, true, nil
		}
	}
}

// pageOfMarks reads entries from an entry on, that one included.
func (c *Cache) pageOfMarks(ctx context.Context, from string) (page []redis.XMessage, err error) {
	if from == "" {
		from = "-"
	}
	err = c.do(ctx, "revocations", func(ctx context.Context) (err error) {
		page, err = c.client.XRangeN(ctx, c.markStream(), from, "+", pageOfMarks).Result()
		return err
	})
	return page, err
}

// writtenMark is a mark as a text: its key, and its times in milliseconds since 1970. Made has
// nanoseconds, because it tells marks apart. A time that is not set is 0.
func writtenMark(mark delegation.RevocationMark) string {
	before := int64(0)
	if !mark.Before.IsZero() {
		before = mark.Before.UnixMilli()
	}
	return fmt.Sprintf("%s %d %d %d",
		mark.Key, before, mark.Made.UnixNano(), mark.Until.UnixMilli())
}

// readMarks reads an entry. What cannot be read may be a mark, so it is an error.
func readMarks(entry redis.XMessage) (marks []delegation.RevocationMark, err error) {
	for _, value := range entry.Values {
		text, _ := value.(string)
		if len(text) > maxMark {
			return nil, errors.New("it is not a mark of an ended session")
		}
		var mark delegation.RevocationMark
		var before, made, until int64
		n, err := fmt.Sscanf(text, "%s %d %d %d", &mark.Key, &before, &made, &until)
		if err != nil || n != 4 {
			return nil, errors.New("it is not a mark of an ended session")
		}
		if before != 0 {
			mark.Before = time.UnixMilli(before)
		}
		mark.Made = time.Unix(0, made)
		mark.Until = time.UnixMilli(until)
		marks = append(marks, mark)
	}
	return marks, nil
}

// maxMark is the length of the longest mark, in bytes: a key and three numbers of 64 bits.
const maxMark = 64 + 3*21
