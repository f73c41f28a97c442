function (user, context, callback) {
  function* pages(n) { for (let i = 1; i <= n; i++) { const skip = yield 'page ' + i; if (skip) i++; } return 'end'; }
  const it = pages(4);
  user.got = [it.next().value, it.next(true).value, [...it], it.next()];
  callback(null, user, context);
}
