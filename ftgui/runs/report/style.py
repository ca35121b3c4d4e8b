"""How a report looks: the window's colours, light, dark and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --window:#f5f6f7; --card:#fff; --border:#dfe2e6; --text:#1d2125; --muted:#5f6770;
  --accent:#1f6feb; --on:#fff; --second:#c77700; --good:#1a7f37; --error:#cf2e35; --track:#e3e6ea; }
@media (prefers-color-scheme: dark) { :root { --window:#17191c; --card:#1e2124; --border:#2c3035; --text:#e6e8ea;
  --muted:#9aa1a9; --accent:#5b9dff; --on:#0d1b30; --second:#f2a33c; --good:#4cc76a; --error:#ff6b70; --track:#2c3035; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--window); color:var(--text);
  font:14px/1.5 Inter, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width:1180px; margin:0 auto; padding:24px 16px 40px; }
h1 { font-size:24px; margin:0 0 4px; overflow-wrap:anywhere; } h2 { font-size:15px; margin:0 0 8px; }
p { margin:0 0 8px; } header p { color:var(--muted); margin:0; overflow-wrap:anywhere; } header { margin:0 4px 16px; }
section { background:var(--card); border:1px solid var(--border); border-radius:8px; padding:14px 16px; margin:0 0 12px; }
section > p { color:var(--muted); max-width:80ch; } .star { color:var(--second); }
.large { font-size:18px; color:var(--text) !important; } .large b { font-size:26px; }
.note { white-space:pre-wrap; color:var(--text) !important; overflow-wrap:anywhere; }
.problems { margin:0; padding-left:18px; color:var(--error); }
.wide { overflow-x:auto; max-width:100%; } .wide + .wide { margin-top:12px; }
.tall { max-height:560px; overflow-y:auto; } .tall th { position:sticky; top:0; background:var(--card); }
table { border-collapse:collapse; } th { color:var(--muted); font-weight:500; text-align:left; }
th, td { padding:4px 14px 4px 0; border-bottom:1px solid var(--border); vertical-align:top; max-width:44ch;
  overflow-wrap:anywhere; } .n { text-align:right; white-space:nowrap; font-variant-numeric:tabular-nums; }
.track { display:block; height:4px; min-width:64px; border-radius:2px; background:var(--track); }
.fill { display:block; height:4px; border-radius:2px; background:var(--accent); }
dl { display:grid; grid-template-columns:max-content 1fr; gap:4px 18px; margin:0; } dt { color:var(--muted); }
dt { max-width:26ch; overflow-wrap:anywhere; } dd { margin:0; overflow-wrap:anywhere; } code { font-size:12px; }
.curves { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(420px,100%),1fr)); gap:12px; }
figure { margin:0; } .beside { display:flex; flex-wrap:wrap; gap:12px 40px; align-items:flex-start; }
.beside .wide + .wide { margin:0; }
.curves svg { width:100%; height:auto; } .legend span { margin-right:16px; } .legend .train { color:var(--accent); }
.legend .val { color:var(--second); } figcaption { font-weight:500; }
.errors { display:grid; grid-template-columns:repeat(auto-fill,minmax(176px,1fr)); gap:14px; }
.errors figcaption { font-weight:400; font-size:12px; overflow-wrap:anywhere; } .errors .wrong { color:var(--error); }
.errors img, .gone { width:100%; height:150px; object-fit:contain; background:var(--window); border-radius:6px; }
.gone { display:flex; align-items:center; justify-content:center; color:var(--muted); }
.path { display:block; color:var(--muted); white-space:nowrap; overflow:hidden; text-overflow:ellipsis; }
footer { color:var(--muted); font-size:12px; margin:16px 4px 0; overflow-wrap:anywhere; }
svg text { font-family:inherit; fill:var(--text); } svg .tick { fill:var(--muted); font-size:11px; }
svg .marked { fill:var(--muted); font-size:11px; } .grid { stroke:var(--border); } .line { fill:none; stroke-width:2; }
.line.train { stroke:var(--accent); } .line.faint { stroke:var(--accent); stroke-width:1; opacity:.35; }
.line.val { stroke:var(--second); stroke-dasharray:6 4; } .dot { fill:var(--second); }
.mark { stroke:var(--muted); } .mark.phase { stroke-dasharray:1 3; } .mark.steering { stroke-dasharray:6 3; }
.bar { fill:var(--accent); } .ideal { stroke:var(--second); stroke-dasharray:6 4; stroke-width:2; }
.outline { fill:none; stroke:var(--border); } .right { fill:var(--accent); } svg .wrong { fill:var(--error); }
svg .number.on { fill:var(--on); }
@media print { :root { --window:#fff; --card:#fff; --border:#ccc; --text:#000; --muted:#444; --accent:#1f6feb; --on:#fff;
  --second:#c77700; --error:#cf2e35; --track:#ddd; } main { max-width:none; padding:0; }
  section { break-inside:auto; border:none; padding:8px 0; } figure, tr, svg { break-inside:avoid; }
  .wide { overflow:visible; max-height:none; } .wide > svg { max-width:100%; height:auto; } * { print-color-adjust:exact; } }
"""
