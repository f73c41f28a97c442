/*{
 "Claims": {
  "groups": [
   "a",
   "b"
  ]
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/x"
 },
 "User": {
  "first": "x",
  "n": 2,
  "last": "Y",
  "sum": 5,
  "padded": "--xabab1,2,31,2a+b"
 }
}*/
async function (user, {addonConfiguration: {aws}, ...context}, callback) {
  const groups = new Set([...user.groups, ...Object.values({a: 'x'})]);
  let [first = 'none', ...others] = [...groups].sort((a, b) => b.localeCompare(a));
  for (const [key, value] of Object.entries({first, n: others.length})) user[key] = value;
  for (const g of [await Promise.resolve('y')]) user.last = g?.toUpperCase() ?? 'no';
  const counter = (function* () { yield* [1, 2]; })();
  user.sum = [...counter].reduce((a, b) => a + b ** 2, 0);
  user.padded = 'x'.padStart(3, '-') + 'ab'.repeat(2) + [3, 1, 2].sort() + [[1], [2]].flat() + 'a-b'.replaceAll('-', '+');
  aws.role = 'arn:aws:iam::123456789012:role/' + first;
  callback(null, user);
}
