package freshness

// Sizes is what tests see of a cache: how many entries it keeps, and in how many lists of
// owners.
func (c *Cache[V]) Sizes() (entries, lists int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries.byKey), len(c.entries.byOwner)
}
