//go:build matrix

package delegation_test

import "testing"

// The whole matrix: each value alone, the pairs of a group's values, and up to four values by
// chance.
func TestMatrix(t *testing.T) {
	rows := append(singleRows(), pairRows()...)
	if len(rows) > matrixSize*3/4 {
		t.Errorf("%d pairs leave too little room for chance: raise matrixSize", len(rows))
	}
	runMatrix(t, fillRows(rows, matrixSize), 50)
}
