function (user, context, callback) {
  const {groups: [first, ...others], ...rest} = user;
  callback(null, {...rest, first, others}, context);
}
