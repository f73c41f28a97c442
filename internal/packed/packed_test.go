package packed_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/packed"
)

// published is a percentage that AWS has answered, and somebody has made public with the request.
type published struct {
	source string // as in docs/packed-size.md
	what   string
	policy string
	arns   []string
	tags   map[string]string
	aws    int // percent
	want   int // what the model says
	// edited says that the request was changed before it was published, or is older than session
	// tags. Such a row counts for nothing.
	edited bool
}

// rows are all published percentages that were found whose requests are public too.
func rows() []published {
	nine := map[string]string{}
	for i := 1; i <= 9; i++ {
		nine[fmt.Sprint("T", i)] = strings.Repeat("a", 250)
	}
	return []published{
		{
			source: "aws-actions/configure-aws-credentials, issue 1898",
			what:   "9 tags with values of 250 letters, refused",
			tags:   nine,
			aws:    498,
			want:   498,
		},
		{
			source: "glassechidna/whodunnit, CloudTrail event in its tests, 2021",
			what:   "2 tags of two characters",
			tags:   map[string]string{"b": "c", "c": "c"},
			aws:    2,
			want:   2,
		},
		{
			source: "glassechidna/whodunnit, CloudTrail event in its tests, 2021",
			what:   "3 tags of two characters",
			tags:   map[string]string{"b": "b", "c": "b", "d": "b"},
			aws:    3,
			want:   3,
		},
		{
			source: "aws-samples/amazon-eks-security-immersion-day, CloudTrail event, 2024",
			what:   "the 6 tags of EKS Pod Identity, all transitive",
			tags: map[string]string{
				"eks-cluster-arn": "arn:aws:eks:us-west-2:823571991546:cluster/" +
					"eksworkshop-eksctl",
				"eks-cluster-name":           "eksworkshop-eksctl",
				"kubernetes-namespace":       "ns-a",
				"kubernetes-service-account": "sa1",
				"kubernetes-pod-name":        "app1",
				"kubernetes-pod-uid":         "0cda7f85-c1f9-4dee-b6e9-a0b50c8f3012",
			},
			aws:  56,
			want: 55,
		},
		{
			source: "awsteele.com, AWS role session tags for GitHub Actions, 2023",
			what:   "6 tags through Amazon Cognito",
			tags: map[string]string{
				"actor":      "aidansteele",
				"ref":        "refs/heads/main",
				"run_id":     "6634485805",
				"event":      "workflow_dispatch",
				"repository": "ak2-au/oidc-token-fetcher",
				"sha":        "65e4b17a18e0f86c7b608703ec4a8340c3461d01",
			},
			aws:  43,
			want: 35,
		},
		{
			source: "DataDog/stratus-red-team, CloudTrail event of GetFederationToken, 2024",
			what:   "a policy that allows everything, in lines",
			policy: "{\n\t\t\"Version\": \"2012-10-17\",\n\t\t\"Statement\": [\n\t\t\t{\n" +
				"\t\t\t\t\"Effect\": \"Allow\",\n\t\t\t\t\"Action\": \"*\",\n" +
				"\t\t\t\t\"Resource\": \"*\"\n\t\t\t}\n\t\t]\n\t}",
			aws:  4,
			want: 4,
		},
		{
			source: "Snowflake, SYSTEM$REGISTER_PRIVATELINK_ENDPOINT, 2024",
			what:   "a policy with one action",
			policy: `{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow",
				"Action": ["ec2:DescribeVpcEndpoints"], "Resource": ["*"] } ] }`,
			aws:  9,
			want: 9,
		},
		{
			source: "AWS CLI Command Reference, get-federation-token, 2023",
			what:   "a policy of 4 statements and the ARN of a managed one",
			policy: `{"Version": "2012-10-17", "Statement": [
				{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
				{"Effect": "Allow", "Action": "elasticloadbalancing:Describe*", "Resource": "*"},
				{"Effect": "Allow", "Action": ["cloudwatch:ListMetrics",
					"cloudwatch:GetMetricStatistics", "cloudwatch:Describe*"], "Resource": "*"},
				{"Effect": "Allow", "Action": "autoscaling:Describe*", "Resource": "*"}]}`,
			arns: []string{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"},
			aws:  36,
			want: 36,
		},
		{
			source: "sitch/hellome.ai, answer to next-s3-upload, 2023",
			what:   "a policy for one object in S3, without Version",
			policy: `{"Statement":[{"Sid":"Stmt1S3UploadAssets","Effect":"Allow",` +
				`"Action":["s3:PutObject"],"Resource":["arn:aws:s3:::` +
				`hellome-training-photos-production/next-s3-uploads/` +
				`300d4429-93cf-4374-a785-56cf2f520c4f/00003-1444181492.png"]}]}`,
			aws:  35,
			want: 34,
		},
		{
			source: "catnekaise.github.io, GitHub Actions ABAC in AWS, 2023",
			what:   "7 tags through Amazon Cognito, names and hashes replaced",
			tags: map[string]string{
				"actor": "djonser",
				"job_workflow_ref": "catnekaise/example-repo/.github/workflows/test.yaml" +
					"@refs/heads/main",
				"repository":  "catnekaise/example-repo",
				"run_number":  "4",
				"environment": "dev",
				"run_attempt": "1",
				"sha":         "abcdef1234abcdef1234abcdef1234abcdef1234",
			},
			aws:    47,
			want:   48,
			edited: true,
		},
		{
			source: "awsteele.com, GitHub's OIDC tokens and AWS, 2021",
			what:   "9 tags, the run's ID and the commit's hash put back at their lengths",
			tags: map[string]string{
				"actor":       "octocat",
				"event_name":  "workflow_dispatch",
				"ref":         "refs/heads/main",
				"repository":  "octo-org/octo-repo",
				"run_attempt": "2",
				"run_id":      strings.Repeat("1", 10),
				"run_number":  "10",
				"sha":         strings.Repeat("a", 40),
				"workflow":    "example-workflow",
			},
			aws:    44,
			want:   46,
			edited: true,
		},
		{
			source: "Cloud-CV/EvalAI, answer to GetFederationToken, 2019",
			what:   "a policy for one repository, account and repository replaced",
			policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*",` +
				`"Resource":"arn:aws:ecr:us-east-1:123456789012:repository/` +
				`evalai-test-repository2"},{"Effect":"Allow",` +
				`"Action":["ecr:GetAuthorizationToken"],"Resource":"*"}]}`,
			aws:    28,
			want:   24,
			edited: true,
		},
		{
			source: "bioteam/ec2userkeyd, answer in its tests, 2018",
			what:   "a policy with one action",
			policy: `{"Version": "2012-10-17", "Statement": [{"Action": ` +
				`"iam:ListPolicyVersions", "Resource": "*", "Effect": "Allow"}]}`,
			aws:    7,
			want:   9,
			edited: true,
		},
		{
			source: "AWS STS API Reference, AssumeRole, sample response until 2019",
			what:   "a policy that allows s3:*, with a Sid",
			policy: `{"Version":"2012-10-17","Statement":[{"Sid":"Stmt1","Effect":"Allow",` +
				`"Action":"s3:*","Resource":"*"}]}`,
			aws:    6,
			want:   6,
			edited: true,
		},
	}
}

// TestPublished compares the model with every published percentage, and the rows of
// docs/packed-size.md with both. What the page says of the error is what the rows have.
func TestPublished(t *testing.T) {
	read, err := os.ReadFile("../../docs/packed-size.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(read)
	var far, squares, measured float64
	factor := 1.0
	for _, row := range rows() {
		got := packed.Percent(row.policy, row.arns, row.tags)
		if got != row.want {
			t.Errorf("%s, %s: got %d %%, want %d", row.source, row.what, got, row.want)
		}
		line := fmt.Sprintf("| %s | %s | %d %% | %d %% |", row.source, row.what, row.aws, got)
		if !strings.Contains(page, line) {
			t.Errorf("docs/packed-size.md lacks the row\n%s", line)
		}
		if row.edited {
			continue
		}
		difference := float64(row.aws - got)
		far = max(far, math.Abs(difference))
		factor = max(factor, float64(row.aws)/float64(got))
		squares += difference * difference
		measured++
	}
	stated := fmt.Sprintf("at most %.0f points, and by %.1f points in the quadratic mean", far,
		math.Sqrt(squares/measured))
	if !strings.Contains(strings.Join(strings.Fields(page), " "), stated) {
		t.Errorf("docs/packed-size.md does not say: %s", stated)
	}
	if n := strings.Count(page, " % |\n"); n != len(rows()) {
		t.Errorf("docs/packed-size.md has %d rows, the test %d", n, len(rows()))
	}
	// The threshold leaves room for the worst row.
	if packed.Warned*factor > 100 {
		t.Errorf("an estimate below %d can be %.0f %%", packed.Warned, packed.Warned*factor)
	}
}

func TestPercent(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`
	long := "arn:aws:s3:::photos/" + strings.Repeat("0123456789abcdef/", 20) + "*"
	of := func(statements ...string) string {
		return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	}
	statement := func(action, resource string) string {
		return `{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}`
	}
	percent := func(policy string) int { return packed.Percent(policy, nil, nil) }

	if got := packed.Percent("", nil, nil); got != 0 {
		t.Errorf("nothing takes %d %%", got)
	}
	if got := packed.Percent("", nil, map[string]string{"a": ""}); got != 1 {
		t.Errorf("one tag of one character takes %d %%", got)
	}
	t.Run("a policy that is not one counts as text", func(t *testing.T) {
		for _, text := range []string{"x", "[]", `"` + strings.Repeat("x", 900) + `"`} {
			want := packed.Percent("", []string{text}, nil)
			if got := percent(text); got != want {
				t.Errorf("%.10q: got %d, want %d", text, got, want)
			}
		}
	})
	t.Run("white space takes nothing", func(t *testing.T) {
		if a, b := percent(policy), percent(strings.ReplaceAll(policy, `:{`, " : \n{")); a != b {
			t.Errorf("%d and %d", a, b)
		}
	})
	t.Run("a single statement and a list of one are the same", func(t *testing.T) {
		list := of(statement("s3:*", "*"))
		single := strings.NewReplacer("[", "", "]", "").Replace(list)
		if a, b := percent(list), percent(single); a != b {
			t.Errorf("%d and %d", a, b)
		}
	})
	t.Run("what is repeated takes little", func(t *testing.T) {
		once := percent(of(statement("s3:GetObject", long)))
		twice := percent(of(statement("s3:GetObject", long), statement("s3:PutObject", long)))
		if twice-once > 5 {
			t.Errorf("once it takes %d %%, twice %d %%", once, twice)
		}
		if plain := percent(of(statement("s3:GetObject", strings.Repeat("x", 300)))); plain > 50 {
			t.Errorf("300 equal characters take %d %%", plain)
		}
	})
	t.Run("every part of a statement counts", func(t *testing.T) {
		before := percent(of(statement("s3:GetObject", "*")))
		for _, more := range []string{
			`"Sid":"QWERTZUIOPASDFG"`, `"NotAction":"QWERTZUIOPASDFG"`,
			`"NotResource":["QWERTZUIOPASDFG"]`, `"Principal":{"AWS":"QWERTZUIOPASDFG"}`,
			`"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-1"}}`,
			`"Condition":{"NumericLessThan":{"s3:max-keys":10000000}}`,
		} {
			text := of(strings.Replace(statement("s3:GetObject", "*"), "{", "{"+more+",", 1))
			if after := percent(text); after <= before {
				t.Errorf("%s: %d %% as without", more, after)
			}
		}
	})
	t.Run("tags are not compressed, and add to a policy", func(t *testing.T) {
		tags := map[string]string{"k": strings.Repeat("a", 230), "l": strings.Repeat("a", 230)}
		alone, both := packed.Percent("", nil, tags), packed.Percent(policy, nil, tags)
		rounded := both - alone - percent(policy)
		if alone < 100 || rounded < -1 || rounded > 1 {
			t.Errorf("the tags take %d %%, with a policy of %d %% it is %d %%", alone,
				percent(policy), both)
		}
	})
}

// TestPercent_Bounded: the search for repetitions counts its tries.
func TestPercent_Bounded(t *testing.T) {
	text := strings.Repeat("ab", 50_000)
	policy := `{"Statement":[{"Action":"` + text + `"}]}`
	if got := packed.Percent(policy, nil, nil); got < 1 {
		t.Errorf("got %d", got)
	}
}

func FuzzPercent(f *testing.F) {
	for _, row := range rows() {
		f.Add(row.policy)
	}
	f.Add(`{"Statement":[null,{"Action":[null,1,true,{}]},[]],"Version":1}`)
	f.Add(`{"Statement":{"Condition":[1],"Sid":{"a":{"b":["c"]}}}}`)
	f.Fuzz(func(t *testing.T, policy string) {
		got := packed.Percent(policy, nil, nil)
		if again := packed.Percent(policy, nil, nil); got != again {
			t.Errorf("%q: %d, then %d", policy, got, again)
		}
		if got < 0 || got == 0 && policy != "" {
			t.Errorf("%q takes %d", policy, got)
		}
		longer := packed.Percent(policy, nil, map[string]string{"k": "v"})
		if longer < got {
			t.Errorf("%q: %d, and %d with a tag", policy, got, longer)
		}
	})
}
