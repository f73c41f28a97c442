function (user, context, callback) {
  const load = (id) => new Promise((resolve) => setTimeout(resolve, 3, {id, roles: ['r' + id]}));
  load(1)
    .then((one) => load(one.id + 1).then((two) => [one, two]))
    .then((both) => { user.got = both.map((b) => b.roles[0]); })
    .finally(() => { user.done = true; })
    .then(() => callback(null, user, context))
    .catch(callback);
}
