async function (user, context, callback) {
  const allowed = await Promise.resolve(['admins']);
  if (!user.groups.some((g) => allowed.includes(g))) throw new UnauthorizedError('not you');
  callback(null, user, context);
}
