function (user, context, callback) {
  const list = [{n: 'b', k: 1}, {n: 'a', k: 1}, {n: 'c', k: 0}, {n: 'a', k: 0}];
  user.got = [
    list.slice().sort((x, y) => x.k - y.k || x.n.localeCompare(y.n)).map((x) => x.n + x.k),
    list.slice().sort((x, y) => x.k < y.k).map((x) => x.n + x.k),
    list.map((x) => x.n).sort().reverse()
  ];
  callback(null, user, context);
}
