function (user, context, callback) {
  const arn = (parts, ...values) => parts.reduce((a, p, i) => a + encodeURIComponent(values[i - 1]) + p);
  user.got = arn`arn:aws:iam::${123}:role/${'a b'}`;
  callback(null, user, context);
}
