// A bot on Telegraf, polling. Nothing in it knows of sanfen: only the Bot API's address is another.
const { Telegraf } = require('telegraf')

const bot = new Telegraf('111:ptb', { telegram: { apiRoot: `${process.env.BASE}/` } })
bot.on('text', (context) => context.reply(`收到 ${context.message.text}`))
bot.launch()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => bot.stop(signal))
