function (user, context, callback) {
  const roles = new Map([['staff', ['read']], ['editors', ['read', 'write']]]);
  const all = new Set(user.groups.flatMap((g) => roles.get(g) ?? []));
  user.got = {all: [...all].sort(), size: all.size, map: Object.fromEntries(roles)};
  callback(null, user, context);
}
