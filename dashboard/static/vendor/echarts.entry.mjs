// The parts of ECharts that the dashboard draws with; README.md says how echarts.min.js is built from them.
import { CustomChart, LineChart } from "echarts/charts";
import { GridComponent, LegendScrollComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([
  CanvasRenderer, CustomChart, GridComponent, LegendScrollComponent, LineChart, MarkAreaComponent, MarkLineComponent,
  TooltipComponent,
]);

export { init };
