async (user, context, callback) => {
  user.got = await Promise.all(user.groups.map(async (g) => g.length));
  callback(null, user, context);
}
