"""The inbox page's one style sheet and one script: each app's colours, light and dark; news every second and a half."""

from __future__ import annotations

STYLE = """
:root{--ground:#f4f4f2;--card:#fff;--ink:#1d1c1d;--soft:#616061;--line:#dcdcd8;--link:#1264a3;--mark:#fdf0c4;--markink:#7a4d00}
@media(prefers-color-scheme:dark){:root{--ground:#161618;--card:#1f2023;--ink:#e6e6e8;--soft:#a5a6ab;--line:#36373c;
--link:#6cb4f0;--mark:#4d3b0a;--markink:#ffd98a}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.46 system-ui,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
header,main{max-width:46rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.25rem}
h1{font-size:1.4rem;margin:0 0 .5rem}
nav{display:flex;flex-wrap:wrap;gap:.35rem;margin-bottom:1rem}
nav a{padding:.3rem .7rem;border-radius:1rem;border:1px solid var(--line);color:inherit;text-decoration:none;background:var(--card)}
nav a[aria-current]{background:var(--ink);color:var(--ground);border-color:var(--ink)}
a{color:var(--link);overflow-wrap:anywhere}
a:focus-visible,summary:focus-visible,pre:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.talk{background:var(--card);border:1px solid var(--line);border-radius:.6rem;margin:0 0 1rem;overflow:hidden}
.strip{margin:0;padding:.35rem 1rem;font-size:.8rem;color:#fff;background:var(--app);overflow-wrap:anywhere}
.strip span{opacity:.85}
.slack{--app:#611f69}.discord{--app:#4752c4}.teams{--app:#4f52b2}.google-chat{--app:#146c2e}.webhook{--app:#44484f}
.message{padding:.7rem 1rem;overflow-wrap:anywhere}
.message p{margin:.3rem 0}
.message h3{font-size:1.08rem;line-height:1.3;margin:.35rem 0}.message h4{font-size:1rem;margin:.35rem 0}
.who{display:flex;flex-wrap:wrap;gap:.3rem;align-items:baseline}
.small{font-size:.82rem;color:var(--soft)}
p.small>span{margin-inline-end:.6rem}
.bold{font-weight:700}
.fields{display:grid;grid-template-columns:repeat(auto-fit,minmax(max(9.5rem,40%),1fr));gap:.1rem 1rem}
.buttons{display:flex;flex-wrap:wrap;gap:.5rem;margin:.6rem 0 .3rem!important}
.button{display:inline-block;padding:.35rem .8rem;border:1px solid var(--line);border-radius:.4rem;text-decoration:none;font-weight:600;color:inherit}
.button:hover{border-color:var(--soft)}
.button.primary{background:#007a5a;border-color:#007a5a;color:#fff}.button.danger{background:#c01343;border-color:#c01343;color:#fff}
.embed{border:1px solid var(--line);border-inline-start:4px solid var(--line);border-radius:.4rem;padding:.4rem .9rem;margin:.4rem 0}
.teams .embed,.google-chat .embed{border-inline-start-width:1px}
.teams .button{border-radius:.25rem}.google-chat .button{border-radius:1.2rem;color:var(--link)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.4rem 0}dt{font-weight:600}dd{margin:0}
@media(max-width:28rem){dl{grid-template-columns:1fr}dd{margin-bottom:.3rem}}
.good{color:#1a7f37}.warning{color:#9a5b00}.attention{color:#c01343}.accent{color:var(--link)}
@media(prefers-color-scheme:dark){.good{color:#57c878}.warning{color:#f0b45a}.attention{color:#ff7b93}}
figure{margin:.5rem 0}img{max-width:100%;height:auto;border-radius:.3rem;display:block}
mark{background:var(--mark);color:var(--markink);padding:0 .2em;border-radius:.2em}
code{font-family:ui-monospace,"Liberation Mono",monospace;font-size:.87em}
pre{background:var(--ground);border-radius:.4rem;padding:.6rem .8rem;overflow:auto;max-height:24rem;margin:.4rem 0}
hr{border:0;border-top:1px solid var(--line)}
.thread{border-inline-start:3px solid var(--line);margin:0 0 .6rem 1rem}
.thread .small{margin:.2rem 1rem}.thread .message .small{margin:0}.thread .message{padding:.35rem 1rem}
.edits{margin:.5rem 0 0;color:var(--soft)}.edits summary{font-size:.82rem;cursor:pointer}
.edits>div{border-inline-start:2px dashed var(--line);padding-inline-start:.8rem;margin:.4rem 0;opacity:.8}
.chip{font-size:.75rem;border:1px solid currentColor;border-radius:1rem;padding:0 .5rem}
.failed{color:#c01343;font-weight:600}
@media(prefers-color-scheme:dark){.failed{color:#ff7b93}}
.empty{color:var(--soft);text-align:center;padding:3rem 1rem}
"""

# What is open, focused or scrolled stays so: the list is replaced only when something in it is new.
SCRIPT = """
setInterval(async () => {
  if (document.hidden) return
  try {
    const answer = await fetch(location.href, {cache: 'no-store'})
    if (!answer.ok) return
    const news = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('messages')
    const old = document.getElementById('messages')
    const bare = list => list.innerHTML.replaceAll(' open=""', '')
    if (bare(news) === bare(old)) return
    const open = new Set([...old.querySelectorAll('details[open]')].map(each => each.parentElement.id))
    news.querySelectorAll('details').forEach(each => { each.open = open.has(each.parentElement.id) })
    old.replaceChildren(...news.childNodes)
  } catch { /* The server is away; the next look may find it. */ }
}, 1500)
"""
