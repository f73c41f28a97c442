function (user, context, callback) {
  const m = /^(?<local>[^@]+)@(?<domain>[a-z.]+)$/i.exec(user.email);
  user.got = {...m.groups, rest: m.slice(1), replaced: user.email.replace(/(.)@.*/, '$1@…')};
  callback(null, user, context);
}
