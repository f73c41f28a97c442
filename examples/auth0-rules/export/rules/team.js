async function (user, context, callback) {
  const directory = require('directory');
  try {
    const team = await directory.teamOf(user.user_id);
    context.addonConfiguration.aws.tags = {team};
    console.log(`${user.user_id} is in the team ${team}`);
    return callback(null, user, context);
  } catch (error) {
    return callback(error);
  }
}
